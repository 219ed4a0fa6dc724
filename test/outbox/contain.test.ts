import t from 'tap';
import { DECISIONS, type FeedEvent, KINDS } from '../../src/outbox/event.ts';
import { FORMATS } from '../../src/outbox/formats/format.ts';
import { jsonText } from '../../src/outbox/formats/json-text.ts';
import { faultsOf } from '../ocsf/schema.ts';
import { newCharges, Ticks } from '../resolve/ledger.ts';
import { policy } from '../resolve/policy.ts';
import { Rig } from './rig.ts';

const POLICY = policy({
  builder: { allow: ['**.cdn.example'] },
  audited: { allow: ['**.cdn.example'], more: ['mode: audit', 'audit_until: 2027-01-01'] },
});
const isDecision = ({ kind }: FeedEvent): boolean => DECISIONS.has(kind);
const FINE = { authority: ['cdn.example 60 SOA . . 1 1 1 1 60'] };

for (const [from, identity, kind, verdict] of [
  ['127.0.0.1', 'builder', 'contain', 'NXDOMAIN'],
  ['127.0.0.2', 'audited', 'would_contain', undefined],
] as const) {
  t.test(`a budget that is spent is an event of kind ${kind} in each format`, async (t) => {
    const ticks = new Ticks();
    const feed = new Rig(t, POLICY, KINDS, { charges: newCharges(ticks) });
    for (let i = 0; i < 100; i++) {
      ticks.tick++;
      await feed.house.ask(`${'x'.repeat(20)}${i}.cdn.example`, 'A', { from }, FINE);
    }
    const all = feed.take(true);
    t.equal(
      all.filter(isDecision).reduce((sum, { count = 1 }) => sum + count, 0),
      100,
      'each is one event',
    );
    const told = all.filter((event) => event.kind === kind);
    t.ok(told.length > 0, `${told.length} events`);
    const [first] = told;
    t.match(first, { kind, identity, name: /\.cdn\.example$/, type: 'A', rule: /\.yaml:\d+$/ });
    t.equal(
      first!.rcode === 'NXDOMAIN',
      verdict === 'NXDOMAIN',
      'what is contained is answered as if it were not there',
    );
    const json = JSON.parse(jsonText(FORMATS.json(first!, Date.now()))) as Record<string, unknown>;
    t.match(json, { kind, identity, name: first!.name });
    const ocsf = JSON.parse(jsonText(FORMATS.ocsf(first!, Date.now()))) as Record<string, never>;
    t.same(faultsOf(ocsf), [], 'valid OCSF');
    t.match(ocsf, {
      class_uid: 4003,
      metadata: { event_code: kind },
      query: { hostname: first!.name },
      policy: { is_applied: kind === 'contain' },
    });
  });
}
