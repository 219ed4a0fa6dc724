import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseDocument } from 'yaml';
import { load } from '../../src/config/load.ts';
import { jsonSchema } from '../../src/config/schema/schema.ts';
import { findAddress } from '../../src/policy/identity.ts';
import { ipAddress } from '../../src/wire/ip-address.ts';
import { nameToText } from '../../src/wire/name.ts';
import { NOW } from './harness.ts';

const HOUSE = fileURLToPath(new URL('../../', import.meta.url));
const CONFIG = join(HOUSE, 'config');
const result = load(join(CONFIG, 'namegate.yaml'), { env: {}, now: NOW, salt: 7 });

const example = load(join(CONFIG, 'example/namegate.yaml'), { env: {}, now: NOW, salt: 7 });

t.test('the default config is clean, and the long example has the warnings that it shows', async (t) => {
  t.same(result.problems, []);
  t.ok(result.snapshot);
  const told = example.problems.map(({ code, severity }) => `${code} ${severity}`).sort();
  t.same(told, ['audit warning', 'shared-zone warning']);
  t.ok(example.snapshot);
});

t.test('it is good for years', async (t) => {
  const later = load(join(CONFIG, 'namegate.yaml'), { env: {}, now: Date.UTC(2090, 0, 1) / 1000, salt: 7 });
  t.same(later.problems, []);
});

t.test('it listens where the documentation says, and asks the system', async (t) => {
  const { listen, upstreams, metrics, policy } = result.settings!;
  t.same(listen, [
    { protocol: 'udp', host: '127.0.0.1', port: 5300, spoofable: false },
    { protocol: 'tcp', host: '127.0.0.1', port: 5300, proxyFrom: [] },
  ]);
  t.same(upstreams, [{ name: 'default', servers: 'system', zones: [] }]);
  t.same(metrics, { host: '127.0.0.1', port: 9153 });
  t.equal(policy, join(CONFIG, 'policy'));
});

t.test('loopback has an identity, and a local name to try', async (t) => {
  const { addresses, identities, locals } = result.snapshot!;
  const four = findAddress(addresses, ipAddress(4, 0x7f00_0001, 0, 0, 0));
  t.equal(identities[four]?.name, 'this-machine');
  t.equal(findAddress(addresses, ipAddress(6, 0, 0, 0, 1)), four);
  t.equal(findAddress(addresses, ipAddress(4, 0x0808_0808, 0, 0, 0)), -1);
  const local = [...locals.values()].find(({ name }) => nameToText(name) === 'hello.namegate.example');
  t.match(local?.rrsets[0], { type: 1, rdata: [Uint8Array.of(192, 0, 2, 1)] });
});

/** The keys of a schema. */
function keysOf(kind: 'server' | 'policy'): Set<string> {
  const known = new Set<string>();
  const walk = (node: Record<string, unknown>): void => {
    const properties = (node['properties'] ?? {}) as Record<string, Record<string, unknown>>;
    for (const [key, child] of Object.entries(properties)) {
      known.add(key);
      walk(child);
    }
    for (const child of [
      node['items'],
      node['additionalProperties'],
      ...((node['anyOf'] ?? []) as unknown[]),
    ])
      if (typeof child === 'object' && child !== null) walk(child as Record<string, unknown>);
  };
  walk(jsonSchema(kind) as Record<string, unknown>);
  return known;
}

t.test('every key of the policy language stands in the example, in force', async (t) => {
  const written = new Set<string>();
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        written.add(key);
        collect(inner);
      }
    }
  };
  const folder = join(CONFIG, 'example/policy');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml')))
    collect(parseDocument(readFileSync(join(folder, file), 'utf8')).toJS());
  t.same(
    [...keysOf('policy')].filter((key) => !written.has(key)),
    [],
  );
  t.equal(new Set(example.snapshot!.rules.kind).size, 4, 'exact, family, star, globstar');
});

t.test('every key of a server file stands in the default one, in force or as a comment', async (t) => {
  const text = readFileSync(join(CONFIG, 'namegate.yaml'), 'utf8');
  const missing = [...keysOf('server')].filter((key) => !new RegExp(`(^|[{ ,])${key}:`, 'm').test(text));
  t.same(missing, []);
});

t.test('editors find the schemas', async (t) => {
  const files = readdirSync(CONFIG, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.yaml'),
  );
  t.equal(files.length, 4);
  for (const file of files) {
    const [, schema] = /^# yaml-language-server: \$schema=(\S+)$/m.exec(
      readFileSync(join(CONFIG, file), 'utf8'),
    )!;
    const kind = file.endsWith('namegate.yaml') ? 'server' : 'policy';
    t.equal(relative(CONFIG, join(CONFIG, dirname(file), schema!)), `schemas/${kind}.schema.json`, file);
  }
});
