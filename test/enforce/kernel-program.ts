import { spawnSync } from 'node:child_process';
import { textOfPlace } from '../../src/enforce/client-place.ts';
import { Firewall } from '../../src/enforce/firewall.ts';
import { inspectRules } from '../../src/enforce/inspect.ts';
import { SetElements, TABLE } from '../../src/enforce/kernel/elements.ts';
import { PROBE_TABLE, probeKernel } from '../../src/enforce/kernel/kernel-probe.ts';
import { NetfilterExchange } from '../../src/enforce/kernel/netlink-exchange.ts';
import { runNft } from '../../src/enforce/kernel/nft.ts';
import type { GrantOrder } from '../../src/resolve/grants/grant-line.ts';

/** Run inside a network namespace: it changes the rules there, and prints what became of it. */

const say = (what: string, ...told: unknown[]): void => console.log(`${what}: ${told.map(String).join(' ')}`);
const exchange = NetfilterExchange.open();
if (typeof exchange === 'string') throw new Error(exchange);
const probed = new SetElements(exchange, PROBE_TABLE);
probeKernel(probed, runNft);
const elements = probed.of(TABLE);
const parts = { exchange, elements, nft: runNft, now: () => performance.now(), journal: null };
const firewall = new Firewall(parts);
const grant = (last: number | string, seconds = 60, client = '10.0.0.2'): GrantOrder => ({
  op: 'grant',
  client,
  identity: 'job',
  lease: null,
  name: 'a.example',
  chain: [],
  address: typeof last === 'number' ? `203.0.113.${last}` : last,
  ports: ['tcp/443'],
  ttl_ms: seconds * 1000,
  rule: null,
  policy: '0',
});
const held = (): string[] =>
  elements
    .list('grants4')
    .map(({ key, left }) => {
      const [from, to] = [key.subarray(0, 4), key.subarray(4, 8)].map(textOfPlace);
      return `${from} ${to} ${key.readUInt16BE(12)} for ${Math.ceil((left ?? 0) / 1000)} s`;
    })
    .sort();
const terms = {
  interfaces: ['job0', 'veth*'],
  local: ['10.9.0.0/16', 'fd00:9::7'],
  users: [65_534],
  listeners: [{ host: null, family: 4, l4: 'udp', port: 53 }],
} as const;

say('loaded', firewall.load(terms));
say('granted', ...firewall.apply([grant(1), grant(2)]).map(String));
say('held', held().join(', '));
say('again', `${firewall.apply([grant(1, 90)])[0]},`, held()[0]!.replace(/.* for/, 'for'));
const three = firewall.apply([grant(3), grant('2001:db8::1'), grant(2)]);
say('one bad of three', three.map((text) => text?.replace(/ is none.*/, '') ?? 'null').join(', '));
say('held', held().length);
const other = new Firewall(parts);
other.load(terms);
say('another firewall reads', other.size);
const ended: GrantOrder = { op: 'end', client: '10.0.0.2', identity: null, lease: null, quarantine_ms: 0 };
say(
  'end and grant in one',
  `${firewall
    .apply([ended, grant(1)])
    .map(String)
    .join(' ')}, held ${held().length}`,
);
firewall.apply([
  grant(1, 60, '10.0.0.9'),
  { op: 'live', client: '10.0.0.2/32', identity: 'x', lease: null, ttl_ms: 9000 },
]);
say('strangers', firewall.strangers(new Set(['10.0.0.2'])).join());
firewall.load(terms);
for (const skills of [
  { refreshes: true, destroys: true },
  { refreshes: false, destroys: true },
  { refreshes: true, destroys: false },
  { refreshes: false, destroys: false },
]) {
  // As if the kernel could no more than that; what is there of the set goes first.
  const old = new SetElements(exchange, TABLE, skills);
  const other = new Firewall({ ...parts, elements: old });
  other.load(terms);
  const ends = other.apply([ended, grant(1), grant(2, 0.2)]);
  await new Promise((resolve) => setTimeout(resolve, 250));
  // One that is there gets another end, one that has ended is put in again, and one is taken out that is not there.
  const who = { client: '10.0.0.2', identity: 'job', lease: null, name: 'a.example' };
  const gone: GrantOrder = { op: 'revoke', ...who, address: '203.0.113.9', ports: ['tcp/443'] };
  ends.push(...other.apply([grant(1, 90), grant(2, 70), gone, grant(3)]));
  const left = held().filter((line) => line.startsWith('10.0.0.2 '));
  say(
    `refreshes ${skills.refreshes}, destroys ${skills.destroys}`,
    ends.filter((end) => end !== null).length,
    left.map((line) => line.replace(/^\S+ /, '')).join(', '),
  );
}
firewall.load(terms);
const inspected = (): string => inspectRules(exchange, runNft, terms);
say(
  'inspected',
  `${inspected()}, of another server file ${inspectRules(exchange, runNft, { ...terms, local: [] })}`,
);
probeKernel(probed, runNft);
say('untouched', firewall.mend().trouble);
const nft = (script: string): void => void spawnSync('nft', [script]);
nft('flush ruleset');
say('inspected', inspected());
say('flushed', firewall.mend().trouble);
nft('insert rule inet namegate judge accept');
say('inspected', inspected());
say('changed', firewall.mend().trouble);
say('inspected', inspected());
nft('add table inet namegate { flags dormant; }');
say('inspected', inspected());
say('asleep', firewall.mend().trouble);
nft('delete table inet namegate');
runNft(`table inet namegate {
	set grants4 {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
		flags timeout
		size 1
	}
}
`);
say(
  'a full set',
  firewall
    .apply([grant(7), grant(8)])
    .map(String)
    .join(', '),
);
