import { join } from 'node:path';
import t from 'tap';
import { askAt } from '../admin/house.ts';
import { amount } from '../amount.ts';
import { Client, queryOctets } from './client.ts';
import { Namegate, namegate, until } from './namegate.ts';
import { plain, upstream } from './upstream.ts';

/** Kills at moments that nobody chose, while several clients push names as fast as they can: nothing is forgotten. */

const POLICY = `identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [{ name: "**.t.example", reason: test }]
`;
const CLIENTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
const KILLS = amount(2, 4);

interface Balance {
  readonly key: string;
  readonly subject: string;
  readonly spent: number;
  readonly contained: string | null;
}

/** Octets that the code for new names charges for one of so many octets in front of `t.example`, at the least. */
function leastOf(name: string): number {
  const front = name.length - 't.example.'.length;
  return ((front + 1) * Math.log2(40) + 2 + 1 + Math.log2(10)) / 8;
}

t.test('kill -9 under load, again and again: balances hold, and each crossing is told once', async (t) => {
  const up = await upstream(t, plain);
  let server = await namegate(t, {
    policy: POLICY,
    servers: `[${up.url}]`,
    settings: 'admin: unix:state/admin.sock\ndetect: {}',
  });
  const admin = `unix:${join(server.folder, 'state/admin.sock')}`;
  const balances = async (): Promise<Balance[]> => {
    const { body } = await askAt(admin, 'GET', '/v1/ledger?limit=1000');
    return (body['balances'] as Balance[]).filter(({ key }) => key === 'client');
  };
  const sinceWhen = new Map<string, string>();
  const findings: { subject: string; finding: string }[] = [];
  let names = 0;
  for (let kill = 0; kill <= KILLS; kill++) {
    const running = server;
    const clients = await Promise.all(CLIENTS.map((from) => Client.open(running, 'udp', from)));
    let stop = false;
    const pushing = clients.map(async (client, which) => {
      while (!stop) {
        const burst = Array.from({ length: 3 }, () => `k${which}-${'x'.repeat(9)}${names++}.t.example`);
        await Promise.race([
          Promise.all(burst.map((name) => client.exchange(queryOctets(name), 2_000))),
          running.ended,
        ]);
      }
    });
    if (kill < KILLS) {
      // Somewhere between the first charge and the containment of all.
      const from = up.seen.length;
      await until(
        () => up.seen.length > from + Math.floor(Math.random() * 60),
        () => 'nothing leaves',
        5_000,
      ).catch(() => {});
      server.kill('SIGKILL');
      await server.ended;
    } else
      await until(async () => (await balances()).filter(({ contained }) => contained !== null).length === 3);
    stop = true;
    await Promise.all(pushing);
    for (const client of clients) client.close();
    if (kill === KILLS) break;
    findings.push(...(server.events('finding') as never[]));
    server = await new Namegate(t, server.folder).started();
    for (const { subject, spent, contained } of await balances()) {
      const which = CLIENTS.indexOf(subject);
      const left = new Set(up.seen.map(({ name }) => name).filter((name) => name.startsWith(`k${which}-`)));
      const least = [...left].reduce((sum, name) => sum + leastOf(name), 0);
      t.ok(spent >= least, `kill ${kill}, ${subject}: ${spent} count, ${least} have left`);
      t.ok(spent <= 1024);
      // It may have been told a moment after the last look, never before it.
      const before = sinceWhen.get(subject);
      if (before !== undefined) t.ok(contained !== null, `${subject} stays contained`);
      if (before !== undefined && contained !== null)
        t.ok(Math.abs(Date.parse(contained) - Date.parse(before)) <= 2_000, `since ${before}: ${contained}`);
      if (contained !== null) sinceWhen.set(subject, before ?? contained);
    }
  }
  await server.stop(t);
  findings.push(...(server.events('finding') as never[]));
  for (const subject of CLIENTS) {
    const of = (finding: string) =>
      findings.filter(
        (one) => one.subject === subject && one.finding === finding && 'key' in one && one.key === 'client',
      ).length;
    // A kill between the line and its record may tell it once more: it is never told less.
    t.ok(
      of('budget-contain') >= 1 && of('budget-contain') <= 2,
      `${subject}: ${of('budget-contain')} containments`,
    );
    t.ok(of('budget-alert') >= 1 && of('budget-alert') <= 2, `${subject}: ${of('budget-alert')} alerts`);
  }
});

t.test(
  'a containment that was told is told no second time after kill -9, and goes on since then',
  async (t) => {
    const up = await upstream(t, plain);
    const first = await namegate(t, {
      policy: POLICY,
      servers: `[${up.url}]`,
      settings: 'admin: unix:state/admin.sock\ndetect: {}',
    });
    const admin = `unix:${join(first.folder, 'state/admin.sock')}`;
    const client = await Client.open(first, 'udp');
    const drain = async (by: Client, tag: string): Promise<number> => {
      for (let i = 0; i < 200; i++) {
        const reply = await by.exchange(queryOctets(`${tag}${'y'.repeat(20)}${i}.t.example`), 5_000);
        if (reply === null || (reply.readUInt16BE(2) & 0xf) === 3) return i;
      }
      return 200;
    };
    t.ok((await drain(client, 'a')) > 20);
    client.close();
    await until(() => first.events('finding').some(({ finding }) => finding === 'budget-contain'));
    const contained = async (): Promise<Balance> => {
      const { body } = await askAt(admin, 'GET', '/v1/ledger');
      return (body['balances'] as Balance[]).find(({ key }) => key === 'client')!;
    };
    const since = (await contained()).contained!;
    t.ok(since);
    // That it was told is written down in the same second.
    await new Promise((resolve) => setTimeout(resolve, 300));
    first.kill('SIGKILL');
    await first.ended;
    const second = await new Namegate(t, first.folder).started();
    const again = await Client.open(second, 'udp');
    t.equal(await drain(again, 'b'), 0);
    again.close();
    t.ok(Math.abs(Date.parse((await contained()).contained!) - Date.parse(since)) <= 2_000);
    await second.stop(t);
    t.strictSame(
      second.events('finding').map(({ finding }) => finding),
      [],
    );
  },
);
