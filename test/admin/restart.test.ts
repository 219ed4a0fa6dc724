import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ipAddress } from '../../src/wire/ip-address.ts';
import { House, house, TestClock } from './house.ts';

const ADDRESS = 0x0a090001;

t.test(
  'leases, stages, quarantines and exceptions outlive a restart; what has ended stays gone',
  async (t) => {
    const folder = t.testdir({});
    const clock = new TestClock();
    const first = await house(t, { folder, clock });
    const open = async (at: House, body: object): Promise<string> =>
      (await at.ask('POST', '/v1/leases', body)).body['id'] as string;
    const kept = await open(first, { identity: 'build', address: '10.9.0.1', ttl: 100, job: { run: '1' } });
    const ended = await open(first, { identity: 'steady', address: '10.9.0.2', ttl: 100 });
    const short = await open(first, { identity: 'steady', address: '10.9.0.3', ttl: 20 });
    await first.ask('PATCH', `/v1/leases/${kept}`, { stage: 'compile' });
    await first.ask('DELETE', `/v1/leases/${ended}`);
    const excepted = await first.ask('POST', '/v1/exceptions', {
      identity: 'build',
      name: 'vendor.example',
      ttl: 3600,
      reason: 'CHG-1',
    });
    t.equal(excepted.status, 201);
    await first.close();

    clock.wall += 30;
    clock.mono = 77;
    const second = await house(t, { folder, clock });
    t.match((await second.ask('GET', `/v1/leases/${kept}`)).body, {
      stage: 'compile',
      job: { run: '1' },
      expires: '2026-11-20T00:01:40.000Z',
      opened_by: 'admin-socket',
    });
    t.equal((await second.ask('GET', `/v1/leases/${ended}`)).status, 404);
    t.equal((await second.ask('GET', `/v1/leases/${short}`)).status, 404);
    const bound = (address: number): unknown =>
      second.table.byAddress(ipAddress(4, address, 0, 0, 0), clock.mono);
    t.match(bound(ADDRESS), { identity: 'build', stage: 'compile', endsAt: 77 + 70_000 });
    t.match(bound(ADDRESS + 1), { identity: 'unknown', endsAt: 77 + 570_000 });
    t.match(bound(ADDRESS + 2), { identity: 'unknown', endsAt: 77 + 590_000 }, 'it ran out while nobody ran');
    t.match((await second.ask('GET', '/v1/exceptions')).body, {
      exceptions: [{ id: excepted.body['id'], approved_by: 'admin-socket' }],
    });
    t.match(await second.ask('GET', '/v1/explain?identity=build&name=vendor.example'), {
      body: { verdict: 'allow', rule: { file: `exception ${excepted.body['id']}`, reason: 'CHG-1' } },
    });
    clock.pass(70);
    t.equal(bound(ADDRESS), null);
  },
);

t.test('a clock that goes back between two runs gives nobody more time', async (t) => {
  const folder = t.testdir({});
  const clock = new TestClock();
  const first = await house(t, { folder, clock });
  await first.ask('POST', '/v1/leases', { identity: 'build', address: '10.9.0.1', ttl: 100 });
  await first.close();
  clock.wall -= 86_400;
  const second = await house(t, { folder, clock });
  t.equal(second.log.count('clock-jump'), 1);
  t.match(second.table.byAddress(ipAddress(4, ADDRESS, 0, 0, 0), clock.mono), {
    endsAt: clock.mono + 100_000,
  });
});

t.test('a clock that jumps while it runs is noticed; leases last as long as they would have', async (t) => {
  const folder = t.testdir({});
  const clock = new TestClock();
  const first = await house(t, { folder, clock });
  const { body } = await first.ask('POST', '/v1/leases', {
    identity: 'build',
    address: '10.9.0.1',
    ttl: 1000,
  });
  clock.wall += 7200;
  for (let i = 0; i < 40 && first.log.count('clock-jump') === 0; i++)
    await new Promise((done) => setTimeout(done, 50));
  t.match(
    first.log.lines.find(({ event }) => event === 'clock-jump'),
    { level: 'warn', fields: { seconds: 7200 } },
  );
  t.match((await first.ask('GET', `/v1/leases/${body['id']}`)).body, { expires: '2026-11-20T02:16:40.000Z' });
  await first.close();
  const second = await house(t, { folder, clock });
  t.match(second.table.byAddress(ipAddress(4, ADDRESS, 0, 0, 0), clock.mono), {
    endsAt: clock.mono + 1_000_000,
  });
});

t.test('a journal that is torn or damaged costs no more than what is damaged', async (t) => {
  const folder = t.testdir({});
  const first = await house(t, { folder });
  for (let i = 1; i <= 3; i++)
    await first.ask('POST', '/v1/leases', { identity: 'build', address: `10.9.0.${i}` });
  await first.close();
  const path = join(folder, 'state', 'leases.journal');
  const text = readFileSync(path, 'latin1');
  writeFileSync(path, text.replace('10.9.0.2', '10.9.0.9'), 'latin1');
  appendFileSync(path, '120 0000');
  const second = await house(t, { folder });
  const bound = [1, 2, 3, 9].map(
    (last) => second.table.byAddress(ipAddress(4, 0x0a090000 + last, 0, 0, 0), second.clock.mono) !== null,
  );
  t.same(bound, [true, false, true, false]);
  t.equal(second.log.count('journal-damaged'), 1);
  t.equal(second.log.count('journal-torn'), 1);
});

t.test('a second server on one state folder is refused, and the first goes on', async (t) => {
  const folder = t.testdir({});
  const first = await house(t, { folder });
  const second = new House(folder, {});
  await t.rejects(second.start(), { message: /another process uses the state folder/ });
  await second.close();
  t.equal((await first.ask('GET', '/v1/leases')).status, 200);
});

t.test('a state folder that is gone: nothing new comes into force, and ends do', async (t) => {
  const folder = t.testdir({});
  const first = await house(t, { folder, setting: { kind: 'unix', path: join(folder, 'admin.sock') } });
  await first.ask('POST', '/v1/leases', { identity: 'build', address: '10.9.0.1' });
  rmSync(join(folder, 'state'), { recursive: true });
  const reply = await first.ask('POST', '/v1/leases', { identity: 'build', address: '10.9.0.2' });
  t.equal(reply.status, 507);
  t.match(reply.body, { type: 'urn:namegate:problem:not-durable', detail: /ENOENT/ });
  t.equal(
    first.table.byAddress(ipAddress(4, ADDRESS + 1, 0, 0, 0), first.clock.mono),
    null,
    'no lease in force',
  );
  const { body } = await first.ask('GET', '/v1/leases');
  const [only] = body['leases'] as { id: string }[];
  t.equal((await first.ask('DELETE', `/v1/leases/${only!.id}`)).status, 507);
  t.equal(
    first.table.byAddress(ipAddress(4, ADDRESS, 0, 0, 0), first.clock.mono),
    null,
    'an end is in force at once',
  );
});

type Octets = (text: string) => string;

/** What may become of a journal with leases 1 and 2 open and 3 ended: what is in force then, and what is told. */
const DAMAGES: readonly [string, Octets, readonly (string | null)[], 'torn' | 'damaged' | 'whole'][] = [
  ['as it was', (text) => text, ['build', 'build', null], 'whole'],
  ['the last line cut off', (text) => `${text}120 0000`, ['build', 'build', null], 'torn'],
  ['all zeros', (text) => '\0'.repeat(text.length), [null, null, null], 'damaged'],
  ['CRLF line ends', (text) => text.replaceAll('\n', '\r\n'), ['build', 'build', null], 'damaged'],
  ['CR line ends', (text) => text.replaceAll('\n', '\r'), [null, null, null], 'damaged'],
  ['zeros behind it', (text) => text + '\0'.repeat(4096), ['build', 'build', null], 'damaged'],
  ['zeros and a line end behind it', (text) => `${text}\0\0\n`, ['build', 'build', null], 'damaged'],
  ['the last line end lost', (text) => text.slice(0, -1), ['build', 'build', null], 'whole'],
  // An acknowledged end does not come back live: what it bound is unknown for as long as it would have lasted.
  [
    'a bit of the end',
    (text) => text.replace('"t":"end"', '"t":"enD"'),
    ['build', 'build', 'unknown'],
    'damaged',
  ],
  [
    'the checksum of the end',
    (text) => text.replace(/^(\d+ )[0-9a-f]{8}(?=.*"end")/m, '$100000000'),
    ['build', 'build', 'unknown'],
    'damaged',
  ],
  [
    'the length of the end',
    (text) => text.replace(/^\d+(?=.*"end")/m, '7'),
    ['build', 'build', 'unknown'],
    'damaged',
  ],
  [
    'a line in the middle gone',
    (text) => text.replace(/^.*10\.9\.0\.2.*\n/m, ''),
    ['build', null, null],
    'damaged',
  ],
  [
    'two lines in another order',
    (text) => text.replace(/^(.*10\.9\.0\.1.*\n)(.*10\.9\.0\.2.*\n)/m, '$2$1'),
    ['build', 'build', null],
    'damaged',
  ],
  ['the first line gone', (text) => text.replace(/^.*\n/, ''), ['build', 'build', null], 'damaged'],
  ['an address changed', (text) => text.replace('10.9.0.2', '10.9.0.7'), ['build', null, null], 'damaged'],
  ['text in front', (text) => `# edited\n${text}`, ['build', 'build', null], 'damaged'],
];

for (const [what, change, wanted, told] of DAMAGES) {
  t.test(`a journal with ${what}`, async (t) => {
    const folder = t.testdir({});
    const first = await house(t, { folder });
    const ids: string[] = [];
    for (let i = 1; i <= 3; i++) {
      const { body } = await first.ask('POST', '/v1/leases', { identity: 'build', address: `10.9.0.${i}` });
      ids.push(body['id'] as string);
    }
    t.equal((await first.ask('DELETE', `/v1/leases/${ids[2]}`)).status, 200);
    await first.close();
    const path = join(folder, 'state', 'leases.journal');
    const damaged = change(readFileSync(path, 'latin1'));
    writeFileSync(path, damaged, 'latin1');
    const { table, clock, log, damages, close } = bindHouse(await house(t, { folder }));
    const bound = [0, 1, 2].map(
      (last) => table.byAddress(ipAddress(4, ADDRESS + last, 0, 0, 0), clock.mono)?.identity ?? null,
    );
    t.same(bound, wanted);
    t.equal(log.count('journal-torn'), told === 'torn' ? 1 : 0);
    t.equal(log.count('journal-damaged'), told === 'damaged' ? 1 : 0);
    t.equal(damages.length, told === 'damaged' ? 1 : 0);
    if (told === 'damaged') {
      t.match(
        log.lines.find(({ event }) => event === 'journal-damaged'),
        { level: 'error', fields: { copy: `${path}.damaged` } },
      );
      t.equal(readFileSync(`${path}.damaged`, 'latin1'), damaged, 'kept aside as it was');
    }
    await close();
    const third = await house(t, { folder });
    t.equal(third.log.count('journal-damaged') + third.log.count('journal-torn'), 0, 'told once');
  });
}

function bindHouse(made: House) {
  const { table, clock, log, damages } = made;
  return { table, clock, log, damages, close: () => made.close() };
}

t.test('a second damage is kept beside the first', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'state', 'leases.journal');
  for (const [text, copy] of [
    ['one\n', `${path}.damaged`],
    ['two\n', `${path}.damaged-2`],
  ] as const) {
    const made = await house(t, { folder });
    await made.close();
    writeFileSync(path, text);
    await (await house(t, { folder })).close();
    t.equal(readFileSync(copy, 'utf8'), text);
  }
});
