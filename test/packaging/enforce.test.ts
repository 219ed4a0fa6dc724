import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { buildProgram } from '../../src/cli/program.ts';
import { Terminal } from '../../src/cli/terminal.ts';
import { loadEnforce } from '../../src/config/load-enforce.ts';
import { brief, loadFrom, put } from '../config/harness.ts';
import { stagesOf } from './dockerfile.ts';

const folder = fileURLToPath(new URL('../../packaging/enforce/', import.meta.url));

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly restartPolicy?: string;
  readonly lifecycle?: { readonly postStart: { readonly exec: { readonly command: readonly string[] } } };
  readonly securityContext: {
    readonly runAsUser: number;
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  } & Record<string, unknown>;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Documents {
  readonly data: Readonly<Record<string, string>>;
  readonly spec: { readonly initContainers: readonly Container[]; readonly containers: readonly Container[] };
}

t.test('the pod with a firewall', async (t) => {
  const documents = parseAllDocuments(readFileSync(join(folder, 'pod.yaml'), 'utf8'), { uniqueKeys: true });
  t.same(
    documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
    [],
  );
  const [config, pod] = documents.map((each) => each.toJS({ maxAliasCount: 0 })) as [Documents, Documents];
  const dir = t.testdir({});
  mkdirSync(dir, { recursive: true });
  put(dir, config.data);
  const loaded = loadFrom(dir);
  t.same(brief(dir, loaded), [], 'its files have no problem');
  const { setting, listeners } = loadEnforce(join(dir, 'namegate.yaml'));
  t.match(setting, { socket: '/run/namegate/enforce.sock', user: '65532' });
  t.same(
    listeners.map(({ host, port }) => `${host} ${port}`),
    ['127.0.0.1 53', '127.0.0.1 53'],
  );

  const program = await buildProgram(new Terminal({ write: () => {} }, { write: () => {} }, {}));
  const options = (words: readonly string[]): Record<string, unknown> => {
    const [name, ...args] = words;
    let verb = program.commands.find((one) => one.name() === name)!;
    if (verb.commands.length > 0) verb = verb.commands.find((one) => one.name() === args.shift())!;
    t.same(verb.parseOptions(args).unknown, [], words.join(' '));
    return verb.opts();
  };
  const [firewall, dns] = pod.spec.initContainers as [Container, Container];
  for (const [container, verb] of [
    [firewall, 'enforce'],
    [dns, 'serve'],
  ] as const) {
    t.equal(container.args[0], verb);
    t.match(options(container.args), { config: '/etc/namegate/namegate.yaml' });
    t.equal(container.restartPolicy, 'Always', 'a sidecar');
    t.match(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
    t.same(container.securityContext.capabilities.drop, ['ALL']);
    t.ok(container.volumeMounts?.some(({ mountPath }) => mountPath === '/run/namegate'));
  }
  t.same(firewall.securityContext.capabilities.add, ['NET_ADMIN', 'CHOWN']);
  t.equal(dns.securityContext.capabilities.add, undefined);
  t.equal(String(dns.securityContext.runAsUser), setting?.user);
  const script = dns.lifecycle!.postStart.exec.command.at(-1)!;
  const opened = /namegate (lease open .*?) &&/.exec(script)![1]!.split(' ');
  const lease = options(opened);
  t.match(lease, { identity: 'job', address: ['127.0.0.1'], client: '"$POD_IP"' });
  t.ok(loaded.snapshot!.identities.some(({ name }) => name === lease['identity']));
  for (const job of pod.spec.containers) {
    t.equal(job.volumeMounts, undefined, 'the job has neither socket nor state');
    t.notOk([0, dns.securityContext.runAsUser].includes(job.securityContext.runAsUser));
  }
});

t.test('the image with nft', async (t) => {
  const [stage] = stagesOf(readFileSync(join(folder, 'Dockerfile'), 'utf8'));
  t.match(stage!.instructions.find(({ keyword }) => keyword === 'RUN')!.text, /nftables/);
});
