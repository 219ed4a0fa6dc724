import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { OtlpSinkSetting } from '../../../src/settings/alert-settings.ts';
import { faultsOf } from '../../ocsf/schema.ts';
import { Collector, type Step } from './collector.ts';
import { fastClock, NO_TLS, once, Rig, TERMS, until, upTo } from './rig.ts';

const SCRIPTS = new URL('scripts/', import.meta.url);

function setting(collector: Collector, more: Partial<OtlpSinkSetting> = {}): OtlpSinkSetting {
  return {
    ...TERMS,
    type: 'otlp',
    url: `http://127.0.0.1:${collector.port}/v1/logs`,
    headers: {},
    isGzipped: false,
    timeout: 300,
    tokenFile: null,
    tls: NO_TLS,
    ...more,
  };
}

const seqs = ({ received }: Collector): number[] => once(received.map(({ body }) => body['seq'] as number));

for (const file of readdirSync(SCRIPTS).filter((name) => name.endsWith('.txt'))) {
  t.test(`script ${file}`, async (t) => {
    const lines = readFileSync(new URL(file, SCRIPTS), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const dead = lines
      .filter((line) => line.startsWith('expect: dead '))
      .flatMap((line) => line.slice('expect: dead '.length).split(' ').map(Number));
    const collector = new Collector();
    collector.script = lines.filter((line) => !line.startsWith('expect:')).map(stepOf);
    await collector.listen(t);
    const rig = new Rig(t);
    await rig.use(setting(collector));
    const isCalm = lines.includes('expect: calm');
    for (let i = 0; i < (isCalm ? 8 : 1); i++) {
      rig.deny(isCalm ? 1 : 8, (n) => ({ key: `poison-${n}`, text: 'x'.repeat(400) }));
      await until('all is acknowledged', () => rig.acknowledged());
    }
    if (isCalm) t.strictSame(rig.states, [], 'no trouble');
    t.same(collector.faults, [], 'each request keeps the protocol');
    const found = seqs(collector);
    t.same(
      found,
      found.toSorted((a, b) => a - b),
      'in order',
    );
    t.same(
      once([...found, ...dead]).sort((a, b) => a - b),
      upTo(8),
      'each has arrived or is a dead letter',
    );
    t.same(
      rig.store.dead('siem', 100).map(({ event }) => event.seq),
      dead,
      'dead letters',
    );
    for (const { reason } of rig.store.dead('siem', 100)) t.match(reason, /too old|as the script says/);
    t.match(rig.sinks.states, [{ status: 'ok' }]);
    rig.deny(1);
    await until('what comes next', () => rig.acknowledged());
    t.ok(seqs(collector).includes(9));
  });
}

/** A step's words; what follows `=` may hold blanks. */
function stepOf(line: string): Step {
  const at = line.indexOf(' ');
  return at < 0 ? [line] : [line.slice(0, at), line.slice(at + 1)];
}

t.test('a record has its event name, the object as its body, and attributes to route by', async (t) => {
  const collector = new Collector();
  await collector.listen(t);
  const rig = new Rig(t);
  await rig.use(setting(collector, { format: 'ocsf', isGzipped: true, headers: { 'x-tenant': 'a' } }));
  rig.deny(1, () => ({ client: '192.0.2.7', owner: 'team', proven: true, addresses: [] }));
  const at = Date.now();
  rig.store.commit({
    drafts: [
      { kind: 'finding', at, finding: 'budget-contain', uid: 'u', activity: 'create', severity: 'high' },
    ],
    losses: [],
    state: new Map(),
  });
  await until('both', () => rig.acknowledged());
  const [deny, finding] = collector.received;
  t.match(deny, {
    eventName: 'namegate.decision',
    attributes: {
      'dns.question.name': 'n1.example',
      'client.address': '192.0.2.7',
      'namegate.identity': 'me',
    },
  });
  t.match(finding, { eventName: 'namegate.finding', attributes: { 'namegate.finding': 'budget-contain' } });
  for (const { body } of collector.received) t.same(faultsOf(body), [], 'the body is valid OCSF');
  t.match(collector.headers[0], { 'x-tenant': 'a', 'content-encoding': 'gzip' });
});

t.test('a receiver that closes each connection that it said it keeps is no trouble', async (t) => {
  const collector = new Collector();
  collector.script = Array.from({ length: 20 }, () => ['closes']);
  await collector.listen(t);
  const rig = new Rig(t);
  await rig.use(setting(collector));
  rig.deny(12 * 256);
  await until('all is acknowledged', () => rig.acknowledged());
  t.strictSame(rig.states, []);
  t.same(seqs(collector), upTo(12 * 256));
});

t.test('another token is shown with the next request, and the one under way is no trouble', async (t) => {
  const collector = new Collector();
  await collector.listen(t);
  const tokenFile = join(t.testdir(), 'token');
  writeFileSync(tokenFile, 'token-0');
  const rig = new Rig(t);
  await rig.use(setting(collector, { tokenFile }));
  for (let i = 1; i <= 40; i++) {
    rig.deny(256);
    await new Promise((resolve) => setTimeout(resolve, i % 6));
    writeFileSync(tokenFile, `token-${i}`);
    rig.sinks.renew();
  }
  await until('all is acknowledged', () => rig.acknowledged());
  t.strictSame(rig.states, []);
  t.same(seqs(collector), upTo(40 * 256));
  await until('the last token', () => {
    if (rig.acknowledged()) rig.deny(1);
    return collector.headers.at(-1)?.authorization === 'Bearer token-40';
  });
});

t.test('a receiver with a limit refuses few requests, and one that says nothing of it as few', async (t) => {
  for (const step of ['over 60000', 'cuts 60000']) {
    const collector = new Collector();
    collector.script = [stepOf(step)];
    await collector.listen(t);
    const rig = new Rig(t);
    await rig.use(setting(collector));
    rig.deny(600, () => ({ text: 'x'.repeat(400) }));
    await until('all is acknowledged', () => rig.acknowledged());
    t.strictSame(seqs(collector), upTo(600), step);
    t.equal(rig.store.dead('siem', 1).length, 0, 'none is dead');
    // Some 45 events fit.
    t.ok(collector.requests < 60, `${step}: ${collector.requests} requests`);
  }
});

t.test('a token that is refused stops the sink; a new one starts it again', async (t) => {
  const collector = new Collector();
  collector.token = 'second';
  await collector.listen(t);
  const file = join(t.testdir(), 'token');
  writeFileSync(file, 'first\n');
  const rig = new Rig(t);
  await rig.use(setting(collector, { tokenFile: file }));
  rig.deny(3);
  await until('it is refused', () => rig.sinks.states[0]?.status === 'refused');
  t.match(rig.sinks.states[0]?.reason, /answers 401$/);
  const { requests } = collector;
  rig.deny(3);
  await new Promise((resolve) => setTimeout(resolve, 600));
  t.equal(collector.requests, requests, 'it asks no more');
  t.match(rig.states, [{ status: 'refused' }]);
  writeFileSync(file, 'second\n');
  await until('the new token is seen', () => rig.acknowledged());
  t.same(seqs(collector), upTo(6));
  t.match(rig.sinks.states[0], { status: 'ok', reason: '' });
});

t.test('a token that was changed meanwhile is read anew at 401, and nobody is told', async (t) => {
  const collector = new Collector();
  collector.token = 'first';
  await collector.listen(t);
  const file = join(t.testdir(), 'token');
  writeFileSync(file, 'first\n');
  const rig = new Rig(t);
  await rig.use(setting(collector, { tokenFile: file }));
  rig.deny(1);
  await until('the first', () => rig.acknowledged());
  collector.token = 'second';
  writeFileSync(file, 'second\n');
  rig.deny(1);
  await until('the second', () => rig.acknowledged());
  t.same(rig.states, []);
});

t.test('a reload makes a refused sink try again', async (t) => {
  const collector = new Collector();
  collector.script = [['403'], ['403']];
  await collector.listen(t);
  const rig = new Rig(t, fastClock(1));
  const own = setting(collector);
  await rig.use(own);
  rig.deny(2);
  await until('it is refused', () => rig.sinks.states[0]?.status === 'refused');
  await rig.use(own);
  await until('refused again', () => collector.requests === 2 && rig.sinks.states[0]?.status === 'refused');
  await rig.use(own);
  await until('it is taken', () => rig.acknowledged());
  t.same(seqs(collector), upTo(2));
});

t.test('a receiver that takes nothing at all stops the sink before all is dead', async (t) => {
  const collector = new Collector();
  collector.script = [['holds', 'namegate']];
  await collector.listen(t);
  const rig = new Rig(t);
  await rig.use(setting(collector));
  rig.deny(300);
  await until('it is refused', () => rig.sinks.states[0]?.status === 'refused');
  const dead = rig.store.dead('siem', 1_000).length;
  t.ok(dead > 0 && dead < 100, `${dead} are dead`);
  t.notOk(rig.acknowledged(), 'the rest waits');
  collector.script = [];
  await until('one event after another is tried until it is well', () => rig.acknowledged());
  t.match(
    rig.states.map(({ status }) => status),
    ['refused', 'ok'],
    'the tries are told to nobody',
  );
  t.equal(
    seqs(collector).length + rig.store.dead('siem', 1_000).length,
    300,
    'each has arrived or is a dead letter',
  );
});
