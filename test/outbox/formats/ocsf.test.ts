import fc from 'fast-check';
import t from 'tap';
import { type FeedEvent, KINDS } from '../../../src/outbox/event.ts';
import { ocsfObject } from '../../../src/outbox/formats/ocsf.ts';
import { ATTACKS } from '../../../src/outbox/formats/ocsf-words.ts';
import { amount } from '../../amount.ts';
import { page } from '../../docs.ts';
import { faultsOf } from '../../ocsf/schema.ts';
import { anyEvent, bare, DENY, TIME } from './events.ts';
import { attackTable, mappingTable } from './mapping-table.ts';

const SENT = Date.parse(TIME) + 400;

t.test('an event of each kind is valid, with all keys and with none', async (t) => {
  for (const kind of KINDS) {
    t.same(faultsOf(ocsfObject({ ...DENY, kind }, SENT)), [], kind);
    t.same(faultsOf(ocsfObject(bare(kind), SENT)), [], `${kind}, bare`);
  }
});

t.test('whatever an event holds, it is valid', async (t) => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const faults = faultsOf(ocsfObject(event, SENT));
      if (faults.length > 0) throw new Error(faults.join('\n'));
    }),
    { numRuns: amount(600, 2_000) },
  );
  t.pass();
});

t.test('the schema notices what is wrong', async (t) => {
  const good = ocsfObject(DENY, SENT);
  t.not(faultsOf({ ...good, invented: 1 }).length, 0, 'an attribute that there is not');
  const { src_endpoint: _, dst_endpoint: __, ...nobody } = good as Record<string, unknown>;
  t.not(faultsOf(nobody).length, 0, 'neither end');
  t.not(faultsOf({ ...good, class_uid: 2004 }).length, 0, 'another class');
});

t.test('a denied question is a DNS Activity', async (t) => {
  t.match(ocsfObject(DENY, SENT), {
    class_uid: 4003,
    category_uid: 4,
    activity_id: 6,
    type_uid: 400_306,
    time: Date.parse(TIME),
    severity_id: 2,
    action_id: 2,
    disposition_id: 2,
    rcode_id: 3,
    rcode: 'NXDomain',
    count: 1,
    metadata: { version: '1.8.0', uid: DENY.id, sequence: 7, event_code: 'deny', transmit_time: SENT },
    src_endpoint: { ip: '192.0.2.7', port: 40_000, name: 'builder', zone: 'fetch', instance_uid: 'l-1' },
    dst_endpoint: { name: 'ns1' },
    query: { hostname: 'evil.example', type: 'A', class: 'IN' },
    policy: { uid: '0123456789abcdef', is_applied: true },
    unmapped: { job: { repository: 'acme/app' }, proven: true },
  });
});

const treatments: readonly [FeedEvent['kind'], number, number][] = [
  ['allow', 1, 1],
  ['deny', 2, 2],
  ['empty', 2, 2],
  ['contain', 2, 2],
  ['would_deny', 3, 17],
  ['would_contain', 3, 17],
];
for (const [kind, action_id, disposition_id] of treatments) {
  t.test(`${kind} is action ${action_id}, disposition ${disposition_id}`, async (t) => {
    t.match(ocsfObject({ ...DENY, kind }, SENT), { action_id, disposition_id });
  });
}

t.test("a finding's life is create, update and close of one uid", async (t) => {
  const finding: FeedEvent = {
    ...DENY,
    kind: 'finding',
    severity: 'high',
    finding: 'budget-contain',
    uid: 'u-1',
    text: 'a budget is used up',
    names: ['a.tunnel.example', 'b.tunnel.example'],
    next: 'look at the job',
  };
  for (const [activity, id, status_id] of [
    ['create', 1, 1],
    ['update', 2, 2],
    ['close', 3, 4],
  ] as const) {
    const object = ocsfObject({ ...finding, activity }, SENT);
    t.same(faultsOf(object), []);
    t.match(object, {
      class_uid: 2004,
      activity_id: id,
      type_uid: 200_400 + id,
      status_id,
      severity_id: 4,
      is_alert: true,
      finding_info: {
        uid: 'u-1',
        title: 'budget-contain',
        attacks: [{ sub_technique: { uid: 'T1048.003' } }],
      },
      attacks: [{ sub_technique: { uid: 'T1048.003' } }, { sub_technique: { uid: 'T1071.004' } }],
      remediation: { desc: 'look at the job' },
      resources: [{ name: 'builder' }],
    });
    t.equal((object['evidences'] as unknown[]).length, 3, 'the question and both names');
  }
  t.match(ocsfObject({ ...finding, expected: true }, SENT), { is_alert: false, status_id: 3 });
});

t.test('three sub-techniques are told', async (t) => {
  const told = new Set([...ATTACKS.values()].flat().map(({ sub_technique }) => sub_technique.uid));
  t.same([...told].sort(), ['T1048.003', 'T1071.004', 'T1568.002']);
});

t.test('the tables in the docs are those of the code', async (t) => {
  const text = page('docs/alerts.md');
  t.ok(text.includes(mappingTable()), 'node test/outbox/formats/mapping-table.ts prints the table anew');
  t.ok(text.includes(attackTable()), 'the table of techniques');
});
