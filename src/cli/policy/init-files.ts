import type { EpochMilliseconds } from '../../wire/quantity.ts';

/** What `namegate init` can begin, with what each is for. */
export const USES = {
  runner: 'a runner host: its own jobs ask namegate on loopback',
  containers: 'a fleet of containers, known by the addresses of their networks',
  dot: 'clients that show certificates on DNS over TLS',
} as const;

export type Use = keyof typeof USES;

export interface NewFile {
  readonly text: string;
  readonly mode: number;
}

/** The files of a use by their paths in the folder. `now` is milliseconds since 1970: reviews are due half a year later. */
export function filesFor(use: Use, now: EpochMilliseconds): Readonly<Record<string, NewFile>> {
  const review = new Date(now + 182 * 86_400_000).toISOString().slice(0, 10);
  const plain = (text: string): NewFile => ({ text, mode: 0o644 });
  return {
    'namegate.yaml': plain(server(LISTEN[use])),
    'policy/policy.yaml': plain(policy(IDENTITY[use], review)),
    ...(use === 'dot' ? { 'make-certificates.sh': { text: CERTIFICATES, mode: 0o755 } } : {}),
  };
}

function server(listen: string): string {
  return `# Where namegate listens, whom it asks, and where its policy is. Paths are relative to this file.
# \`namegate check\` reads it without serving; \`namegate schema server\` prints every key.

listen:
${listen}
upstreams:
  default:
    servers: system # the nameservers of resolv.conf. If these are namegate itself, write a list: [udp://192.0.2.53]

policy: policy/ # a folder of *.yaml; a change is in force within seconds
state: state/ # leases and exceptions outlive a restart here
admin: unix:state/admin.sock # leases, exceptions: who can open the socket administers
metrics: http://127.0.0.1:9153 # /health, /ready and /metrics
`;
}

const LISTEN: Readonly<Record<Use, string>> = {
  runner: `  # Jobs on this host ask here. Port 53 needs a privilege (CAP_NET_BIND_SERVICE): then write port 53, and make
  # \`nameserver 127.0.0.1\` the only one in /etc/resolv.conf.
  - udp://127.0.0.1:5300
  - tcp://127.0.0.1:5300
`,
  containers: `  # Containers ask here: docker run --dns ADDRESS wants port 53, which needs a privilege (CAP_NET_BIND_SERVICE).
  # Where the network drops forged source addresses, write { on: "udp://0.0.0.0:5300", spoofable: false }.
  - udp://0.0.0.0:5300
  - tcp://0.0.0.0:5300
`,
  dot: `  # Clients show a certificate of client_ca. make-certificates.sh makes a CA of its own to try it with; later write your own.
  # A container asks through: namegate stub --server tls://127.0.0.1:8530#namegate.example --cert tls/job.pem
  #   --key tls/job.key --ca tls/ca.pem
  - on: tls://127.0.0.1:8530
    certificate: tls/server.pem
    key: tls/server.key
    clients: required
    client_ca: tls/ca.pem
`,
};

function policy(identity: string, review: string): string {
  return `# Who may resolve what. All files of this folder are one policy; everything that it does not name is NXDOMAIN.
# \`namegate schema policy\` prints every key, \`namegate check\` what each pattern matches.

destinations:
  # A destination is a set of names with an owner and a reason.
  source-control:
    owner: platform-team
    reason: clone and fetch
    names:
      - github.com # this name alone
      - codeload.github.com
      - objects.githubusercontent.com
      # - "*.example.com" one label in front, quoted because of the star; "**.example.com" one or more

  try-it:
    owner: platform-team
    reason: a local name to try namegate with
    names: [hello.namegate.example]

identities:
${identity.replace('REVIEW', review)}
# Local data: what an approved name answers.
records:
  - { name: hello.namegate.example, type: A, data: 192.0.2.1 }
`;
}

const IDENTITY: Readonly<Record<Use, string>> = {
  runner: `  # An identity is a client, and whom to ask about it.
  - name: runner
    owner: platform-team
    review_by: REVIEW # a warning from then on
    from: { addresses: [127.0.0.0/8, "::1"] }
    allow: [source-control, try-it]
`,
  containers: `  # An identity is a client, and whom to ask about it. Give each network an identity of its own.
  - name: containers
    owner: platform-team
    review_by: REVIEW # a warning from then on
    from:
      addresses:
        - 172.16.0.0/12 # the networks of Docker; write those of your containers
        - 127.0.0.0/8 # this machine, to try it
    allow: [source-control, try-it]
`,
  dot: `  # An identity is a client, and whom to ask about it.
  - name: build
    owner: platform-team
    review_by: REVIEW # a warning from then on
    from: { certificates: ["spiffe://ci.example/build"] } # dns:NAME and sha256:HEX can stand here too
    allow: [source-control, try-it]
`,
};

const CERTIFICATES = `#!/bin/sh
# Makes a CA, a certificate of the server and one of a job, to try namegate with. It needs openssl, and overwrites nothing.
# Keys stay in tls/: give a job its own certificate alone, and keep ca.key elsewhere.
set -eu
cd "$(dirname "$0")"
if [ -e tls ]; then
  echo 'tls/ is there already: nothing was made' >&2
  exit 1
fi
umask 077
mkdir tls
cd tls

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

cat > ca.cnf <<'END'
[req]
distinguished_name = name
x509_extensions = ca
prompt = no
[name]
CN = namegate trial CA
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
END
new_key ca.key
openssl req -x509 -new -sha256 -key ca.key -config ca.cnf -days 365 -out ca.pem

# leaf NAME EXTENDED-KEY-USAGE SUBJECT-ALT-NAME
leaf() {
  new_key "$1.key"
  cat > leaf.cnf <<END
[req]
distinguished_name = name
prompt = no
[name]
CN = $1
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = $2
subjectAltName = $3
authorityKeyIdentifier = keyid
END
  openssl req -new -sha256 -key "$1.key" -config leaf.cnf -out leaf.csr
  openssl x509 -req -sha256 -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 \\
    -extfile leaf.cnf -extensions leaf -out "$1.pem"
}

leaf server serverAuth 'DNS:namegate.example, IP:127.0.0.1'
leaf job clientAuth 'URI:spiffe://ci.example/build'
rm -f ca.cnf leaf.cnf leaf.csr
echo "made tls/: ca.pem, server.pem, job.pem and their keys"
`;
