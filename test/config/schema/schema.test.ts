import { readFileSync } from 'node:fs';
import t from 'tap';
import { readYaml } from '../../../src/config/files/yaml.ts';
import { Problems } from '../../../src/config/problems.ts';
import { policySchema } from '../../../src/config/schema/policy-schema.ts';
import { jsonSchema } from '../../../src/config/schema/schema.ts';
import { serverSchema } from '../../../src/config/schema/server-schema.ts';
import { checkShape } from '../../../src/config/schema/shape.ts';

interface Node {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly pattern?: string;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
}

function walk(node: Node, path: string, visit: (node: Node, path: string) => void): void {
  visit(node, path);
  for (const [key, child] of Object.entries(node.properties ?? {})) walk(child, `${path}.${key}`, visit);
  if (typeof node.additionalProperties === 'object') walk(node.additionalProperties, `${path}.*`, visit);
  if (node.items !== undefined) walk(node.items, `${path}[]`, visit);
  node.anyOf?.forEach((child, i) => {
    walk(child, `${path}|${i}`, visit);
  });
}

for (const kind of ['server', 'policy'] as const) {
  t.test(`the committed schema of a ${kind} file is the one that the program prints`, async (t) => {
    const file = new URL(`../../../config/schemas/${kind}.schema.json`, import.meta.url);
    const regenerate = `regenerate it: node src/main.ts schema ${kind} > config/schemas/${kind}.schema.json`;
    t.equal(readFileSync(file, 'utf8'), `${JSON.stringify(jsonSchema(kind), null, 2)}\n`, regenerate);
  });

  t.test(`editors can complete a ${kind} file`, async (t) => {
    const schema = jsonSchema(kind) as Node & { $schema: string };
    t.equal(schema.$schema, 'http://json-schema.org/draft-07/schema#');
    const bare: string[] = [];
    const open: string[] = [];
    const patterns: string[] = [];
    walk(schema, '', (node, path) => {
      for (const [key, child] of Object.entries(node.properties ?? {})) {
        if (!child.description) bare.push(`${path}.${key}`);
      }
      if (node.type === 'object' && node.additionalProperties === undefined) open.push(path);
      if (node.pattern === undefined) return;
      const form = new RegExp(node.pattern);
      for (const example of node.examples ?? [])
        if (!form.test(String(example))) patterns.push(`${path} ${example}`);
    });
    t.same(bare, [], 'every key has a description');
    t.same(open, [], 'no map takes unknown keys');
    t.same(patterns, [], 'examples fit their patterns');
  });
}

t.test('the keys are these, and no other', async (t) => {
  const keys = (kind: 'server' | 'policy'): string[] => {
    const found = new Set<string>();
    walk(jsonSchema(kind) as Node, '', (node) => {
      for (const key of Object.keys(node.properties ?? {})) found.add(key);
    });
    return [...found].sort();
  };
  t.same(
    keys('server'),
    `admin after_end age alert alerts attempt audience budgets ca cache certificate claim_wildcard class client_ca
     clients contact contain crl crl_ended decisions dependency detect domains dynamic_max_ttl ede_text
     enforce except exceptions fail feeds findings first_contact for format full grace history identity
     identity_wildcard in_flight interfaces issuer jwks keep key kinds known lease_wildcard leases length
     level limits listen local log max max_ttl may_read metrics min_severity mix_case name names near_miss
     nxdomain_storm octets odd_type oidc on other_stage out_of_band path policy ports proxy_from qps questions
     quota renew replies serve_stale server servers share sinks size socket spoofable state sweep sync
     tcp_clients times to token_file tokens trust_domains txt type unknown_qps upstreams user volume wait
     within zones`
      .trim()
      .split(/\s+/),
  );
  t.same(
    keys('policy'),
    `additions addresses after_end alert allow approved_by attempt audit_until budget burst certificates claims contain
     data dependency destinations detect exceptions expected fallback first_contact from identities identity in_flight
     issuer keep limits max_label_length max_labels max_lease mode name names names_from near_miss
     nxdomain_storm odd_type only other_stage out_of_band owner ports private proof qps quarantine reason
     records redirects review_by search self_advance shared_zone stage stages sweep to ttl type types until volume
     workload`
      .trim()
      .split(/\s+/),
  );
});

t.test('a slip of the finger is answered with the key that was meant', async (t) => {
  const fix = (schema: 'server' | 'policy', text: string): string | undefined => {
    const problems = new Problems();
    const yaml = readYaml('f', text, problems)!;
    if (schema === 'server') checkShape(serverSchema, yaml, problems);
    else checkShape(policySchema, yaml, problems);
    return problems.list.find(({ code }) => code === 'key-unknown')?.fix;
  };
  const cases: [kind: 'server' | 'policy', text: string, fix: string][] = [
    ['server', 'lsiten: []', 'write listen'],
    ['server', 'Listen: []', 'write listen'],
    ['server', 'upstream: {}', 'write upstreams'],
    ['server', 'upstreams: { default: { server: system } }', 'write servers'],
    ['server', 'cache: { max-ttl: 1d }', 'write max_ttl'],
    ['policy', 'destination: {}', 'write destinations'],
    ['policy', 'destinations: { a: { owner: o, reason: r, name: [] } }', 'write names'],
    [
      'policy',
      'destinations: { a: { owner: o, reason: r, names: [{ name: a.example, typse: [A] }] } }',
      'write types',
    ],
    ['policy', 'identities: [{ name: a, owner: o, stage: {} }]', 'write stages'],
    ['policy', 'identities: [{ name: a, owner: o, from: { addreses: [] } }]', 'write addresses'],
    ['policy', 'redirects: [{ name: a.example, too: b.example }]', 'write to'],
  ];
  for (const [kind, text, wanted] of cases) t.equal(fix(kind, text), wanted, text);
  t.match(fix('server', 'workers: 4'), /^remove it; known here: listen, upstreams, policy, /);
  t.match(
    fix('policy', 'identities: [{ name: a, owner: o, colour: {} }]'),
    /^remove it; known here: name, owner, /,
  );
});

t.test('what is right in form passes as it is', async (t) => {
  const problems = new Problems();
  const yaml = readYaml('f', 'listen: [udp://127.0.0.1]\npolicy: p\n', problems)!;
  t.equal(checkShape(serverSchema, yaml, problems), yaml.data);
  t.same(problems.list, []);
  t.equal(problems.lost, false);
});
