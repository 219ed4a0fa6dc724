# namegate as an image: the runtime, the built program and its dependencies, and nothing to build with.
#
#   docker build --tag namegate .
#   docker run --name namegate namegate                                           # answers Docker's networks, a few names
#   docker run --name namegate --volume ./policy:/etc/namegate/policy:ro namegate  # your own policy
#   docker exec namegate namegate check                                           # and every other verb
#   docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' namegate   # for docker run --dns
#
# Docker lets any user of a container open port 53. Elsewhere (Kubernetes, say) set the sysctl
# net.ipv4.ip_unprivileged_port_start=0 for the pod, or mount a server file that listens on a higher port.

ARG BUILD_IMAGE=node:20.19.5-bookworm-slim
ARG BASE_IMAGE=debian:12.12-slim

FROM ${BUILD_IMAGE} AS build
# The packaged Node is linked with it, and slim images come without.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libatomic1 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/namegate
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build
# What is left runs: no compiler, no test runner, no headers.
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf src tsconfig.json tsconfig.build.json node_modules/node-linux-*/include node_modules/node-linux-*/share
# Compiles what a start loads, and keeps it beside the code: the user that serves writes nothing there.
RUN node_modules/.bin/node dist/main.js help serve >/dev/null

FROM ${BASE_IMAGE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libatomic1 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/namegate /opt/namegate
COPY LICENSE /opt/namegate/
COPY packaging/container/namegate.yaml /etc/namegate/
COPY packaging/container/policy /etc/namegate/policy
COPY packaging/container/namegate /usr/local/bin/
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/namegate
USER 65532:65532
EXPOSE 53/udp 53/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["/opt/namegate/node_modules/.bin/node", "-e", "fetch('http://127.0.0.1:9153/health').then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/opt/namegate/node_modules/.bin/node", "--disable-sigusr1", "--max-semi-space-size=8", "--single-threaded-gc", "/opt/namegate/dist/main.js"]
CMD ["serve", "--config", "/etc/namegate/namegate.yaml"]
