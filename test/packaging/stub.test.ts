import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parseDocument } from 'yaml';
import { stubSettings } from '../../src/cli/process/stub-verb.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { Terminal } from '../../src/cli/terminal.ts';
import { stagesOf } from './dockerfile.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = (file: string): string => readFileSync(`${root}${file}`, 'utf8');

function read(t: Test, file: string): unknown {
  const document = parseDocument(text(`packaging/stub/${file}`), { uniqueKeys: true });
  t.same([...document.errors, ...document.warnings], [], file);
  return document.toJS({ maxAliasCount: 0 });
}

/** The image starts the program with these words, and a container's own come behind them. */
const entrypoint = JSON.parse(
  stagesOf(text('Dockerfile'))
    .at(-1)!
    .instructions.find(({ keyword }) => keyword === 'ENTRYPOINT')!.text,
) as string[];

const program = await buildProgram(new Terminal({ write: () => {} }, { write: () => {} }, {}));

/** Parses a command line as the program does, without running it. */
function parsed(t: Test, words: readonly string[]) {
  const [name, ...args] = words;
  const verb = program.commands.find((one) => one.name() === name)!;
  const { operands, unknown } = verb.parseOptions(args);
  t.same(unknown, [], `every option of ${words.join(' ')} is known`);
  return { name, operands, options: verb.opts() };
}

function checkStub(t: Test, words: readonly string[], mount: string): void {
  const { name, operands, options } = parsed(t, words);
  t.equal(name, 'stub');
  t.same(operands, []);
  const settings = stubSettings(options as Parameters<typeof stubSettings>[0]);
  if (typeof settings === 'string') throw new Error(settings);
  t.same(settings.listen, { host: '127.0.0.1', port: 53 }, 'what resolv.conf can name');
  t.ok(settings.servers.every((server) => server.name !== null));
  t.same(
    Object.values(settings.files),
    ['tls.crt', 'tls.key', 'ca.crt'].map((file) => `${mount}/${file}`),
  );
}

function checkProbe(t: Test, words: readonly string[]): void {
  // What Node is told for the program that stays is of no use to one that asks and ends.
  const start = entrypoint.filter((word) => !word.startsWith('--'));
  t.same(words.slice(0, start.length), start, 'the program as it is in the image');
  const { name, operands, options } = parsed(t, words.slice(start.length));
  t.equal(name, 'query');
  t.same(operands, ['localhost'], 'a name that namegate has for everyone');
  t.match(options, { server: '127.0.0.1:53' });
}

/** Node ends at its start where it may not be told these. */
function checkNodeOptions(t: Test, options: string): void {
  const { status, stderr } = spawnSync('env', ['-i', `NODE_OPTIONS=${options}`, process.execPath, '-e', ''], {
    encoding: 'utf8',
  });
  t.equal(status, 0, stderr);
}

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly restartPolicy?: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly startupProbe: { readonly exec: { readonly command: readonly string[] } };
  readonly securityContext: Record<string, unknown>;
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly: boolean;
  }[];
}

interface Pod {
  readonly kind: string;
  readonly spec: {
    readonly dnsPolicy: string;
    readonly dnsConfig: { readonly nameservers: readonly string[] };
    readonly securityContext: Record<string, unknown>;
    readonly initContainers: readonly Container[];
    readonly containers: readonly Container[];
    readonly volumes: readonly unknown[];
  };
}

t.test('the pod', async (t) => {
  const { kind, spec } = read(t, 'pod.yaml') as Pod;
  t.equal(kind, 'Pod');
  t.equal(spec.dnsPolicy, 'None');
  t.same(spec.dnsConfig.nameservers, ['127.0.0.1'], 'the stub and no other');
  const [stub] = spec.initContainers as [Container];
  checkStub(t, stub.args, stub.volumeMounts?.[0]?.mountPath ?? '');
  checkProbe(t, stub.startupProbe.exec.command);
  t.equal(stub.restartPolicy, 'Always', 'a sidecar');
  checkNodeOptions(t, stub.env.find(({ name }) => name === 'NODE_OPTIONS')!.value);
  t.match(spec.securityContext, {
    runAsNonRoot: true,
    fsGroup: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
    sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
  });
  t.same(stub.securityContext, {
    allowPrivilegeEscalation: false,
    privileged: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
  });
  t.same(spec.volumes, [{ name: 'tls', secret: { secretName: 'job-dns', defaultMode: 0o440 } }]);
  t.ok(stub.volumeMounts?.every(({ readOnly }) => readOnly));
  for (const { volumeMounts } of spec.containers) t.equal(volumeMounts, undefined, 'the job has no key');
});

interface Service {
  readonly command: readonly string[];
  readonly network_mode: string;
  readonly dns?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly environment: { readonly NODE_OPTIONS: string };
  readonly [key: string]: unknown;
}

t.test('the compose file', async (t) => {
  const { services } = read(t, 'compose.yaml') as { services: { dns: Service; job: Service } };
  const { dns, job } = services;
  checkStub(t, dns.command, '/tls');
  t.equal(dns.healthcheck.test[0], 'CMD');
  checkProbe(t, dns.healthcheck.test.slice(1));
  t.same(dns.dns, ['127.0.0.1']);
  checkNodeOptions(t, dns.environment.NODE_OPTIONS);
  t.same(dns.volumes, ['./tls:/tls:ro']);
  t.match(dns, { read_only: true, user: '65532:65532', cap_drop: ['ALL'], cap_add: ['NET_BIND_SERVICE'] });
  t.equal(job.network_mode, 'service:dns');
  t.match(job['depends_on'], { dns: { condition: 'service_healthy' } });
  t.equal(job.volumes, undefined, 'the job has no key');
});

t.test('its README names files that are there, and options that are', async (t) => {
  const readme = text('packaging/stub/README.md');
  for (const [, file = ''] of readme.matchAll(/^\| `(\w+\.yaml)` \|/gm))
    t.ok(text(`packaging/stub/${file}`).length > 0);
  t.match(readme, '--server=tls://ADDRESS:853#NAME');
});
