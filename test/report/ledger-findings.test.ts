import t from 'tap';
import { HOLDER, type HolderKind, LONGEST_WAIT, TICKS_A_SLICE } from '../../src/detect/holder.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import { type CrossingFacts, LedgerFindings } from '../../src/report/ledger-findings.ts';
import { TestLog } from '../admin/house.ts';
import { billOf } from '../detect/build.ts';

/** A ledger whose findings are told after each question. */
function rig(audited: readonly string[] = []) {
  const ledger = new Ledger();
  const log = new TestLog();
  const heard: CrossingFacts[] = [];
  const findings = new LedgerFindings(
    log,
    (identity) => audited.includes(identity),
    (facts) => heard.push(facts),
  );
  let tick = LONGEST_WAIT;
  const ask = (
    name: string,
    accounts: readonly (readonly [HolderKind, string, number, number])[],
    identity: string,
  ) => {
    const audit = audited.includes(identity);
    const sent = ledger.charge(billOf({ name, accounts, identity, audited: audit }), ++tick);
    findings.tell(ledger, tick);
    return sent;
  };
  const pass = (ticks: number) => {
    tick += ticks;
    ledger.sweep(tick);
    findings.tell(ledger, tick);
  };
  return { ledger, log, heard, ask, pass };
}

const LEASE = [[HOLDER.LEASE, 'le-1', 512, 1024]] as const;

t.test('a crossing is told once: when it alerts, when it contains, when that ends', async (t) => {
  const { log, ask, pass } = rig();
  for (let i = 0; i < 200; i++)
    ask(`${'x'.repeat(20)}${i}\\.${i}.t.example`.replace('\\.', '-'), LEASE, 'build');
  t.match(log.lines, [
    {
      level: 'warn',
      event: 'finding',
      fields: {
        finding: 'budget-alert',
        key: 'lease',
        subject: 'le-1',
        identity: 'build',
        wildcard: 't.example',
      },
    },
    { level: 'warn', event: 'finding', fields: { finding: 'budget-contain', alert: 512, contain: 1024 } },
  ]);
  t.equal(log.lines.length, 2);
  const [alert, contain] = log.lines.map(({ fields }) => fields as { octets: number; names: string[] });
  t.ok(alert!.octets >= 512 && alert!.octets < 540);
  t.ok(contain!.octets <= 1024);
  for (const { names } of [alert!, contain!]) {
    t.ok(names.length >= 1 && names.length <= 5, names.join(' '));
    for (const name of names) t.match(name, /^x+\d+-\d+\.t\.example$/);
  }
  pass(9 * TICKS_A_SLICE);
  t.match(log.lines[2], { level: 'info', fields: { finding: 'budget-contain', ended: true, octets: 0 } });
  t.equal(log.lines.length, 3);
});

t.test('names are shown as a zone file writes them', async (t) => {
  const { log, ledger, ask } = rig();
  const bill = billOf({ name: 'xx.t.example', accounts: [[HOLDER.LEASE, 'le-1', 1, 2]] });
  bill.name = Uint8Array.from([3, 0x0a, 0x2e, 0xff, ...bill.name.subarray(3)]);
  bill.nameLength = bill.name.length;
  ledger.charge(bill, LONGEST_WAIT + 1);
  ask('never.t.example', [[HOLDER.LEASE, 'le-2', 10_000, 20_000]], 'build');
  t.match(log.lines.at(-1)?.fields, { names: ['\\010\\.\\255.t.example'] });
});

t.test('names stay what they were, however the query path uses its memory again', async (t) => {
  const { log, ledger, ask } = rig();
  const shared = Buffer.alloc(255);
  for (let i = 0; i < 30; i++) {
    const bill = billOf({ name: `${'x'.repeat(30)}${i}.t.example`, accounts: LEASE });
    shared.set(bill.name);
    bill.name = shared;
    ledger.charge(bill, LONGEST_WAIT + i);
  }
  ask('never.t.example', [[HOLDER.LEASE, 'le-2', 10_000, 20_000]], 'build');
  const { names } = log.lines[0]!.fields as { names: string[] };
  t.equal(new Set(names).size, names.length);
  t.ok(names.length > 1);
});

t.test('an audited identity is told as such, and its questions leave', async (t) => {
  const { log, ask } = rig(['watched']);
  for (let i = 0; i < 200; i++) t.ok(ask(`${'x'.repeat(20)}${i}.t.example`, LEASE, 'watched'));
  t.same(
    log.lines.map(({ fields }) => fields['finding']),
    ['budget-alert', 'would_contain'],
  );
});

t.test('however many cross, each is told', async (t) => {
  const { log, ask } = rig();
  for (let lease = 0; lease < 3000; lease++)
    ask(`${'x'.repeat(40)}.t.example`, [[HOLDER.LEASE, `l${lease}`, 20, 0]], 'build');
  t.equal(log.count('finding'), 3000);
});
