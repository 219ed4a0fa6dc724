import t from 'tap';
import { Chores, type Timers } from '../../src/assembly/chores.ts';
import { leasePorts } from '../../src/assembly/serving.ts';
import { servingChores } from '../../src/assembly/serving-chores.ts';
import { VERDICT } from '../../src/policy/decide/decision.ts';
import { COOKIE_SIZE, Cookies } from '../../src/resolve/client/cookies.ts';
import { Tally } from '../../src/resolve/client/tally.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { queryOctets } from '../resolve/house.ts';

/** A clock that the test turns: what is due is done in order of its time. */
class Turned implements Timers {
  now = 0;
  readonly #due: { at: number; every: number; work: () => void }[] = [];

  every(ms: number, work: () => void): () => void {
    const entry = { at: this.now + ms, every: ms, work };
    this.#due.push(entry);
    return () => void this.#due.splice(this.#due.indexOf(entry), 1);
  }

  once(): () => void {
    throw new Error('no chore is done once');
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.now = next.at;
      next.at += next.every;
      next.work();
    }
    this.now = end;
  }
}

const HOUR = 3_600_000;

function rig() {
  const timers = new Turned();
  const done: string[] = [];
  const bugs: unknown[] = [];
  const cookies = new Cookies(Buffer.alloc(16, 1));
  let secrets = 1;
  const chores = new Chores(timers, (error) => bugs.push(error));
  const epoch = (): number => 1_800_000_000 + timers.now / 1000;
  chores.start(
    servingChores({
      clock: { monotonic: () => timers.now, epoch },
      renewals: { sendDue: (now, at) => void done.push(`renew ${now} ${at === epoch()}`) },
      resolver: { keepPaidNames: (now, at) => void done.push(`keep ${now} ${at === epoch()}`) },
      ledger: { sweep: () => void done.push('sweep') },
      crls: { look: (at) => void done.push(`crls ${at}`) },
      certificates: { look: (at) => void done.push(`certificates ${at}`) },
      observer: { tellFolded: () => void done.push('folded') },
      cookies: { roll: (secret) => cookies.roll(secret) },
      secret: () => Buffer.alloc(16, ++secrets),
    }),
  );
  return { timers, done, bugs, cookies, chores, epoch, secrets: () => secrets };
}

t.test('names are renewed five times a second, CRLs looked at and findings told each minute', async (t) => {
  const { timers, done } = rig();
  timers.pass(1000);
  t.same(
    done,
    [200, 400, 600, 800, 1000].flatMap((at) => [`renew ${at} true`, `keep ${at} true`]),
  );
  done.length = 0;
  timers.pass(3 * 60_000);
  t.same(
    done.filter((each) => !/^(renew|keep|sweep)/.test(each)),
    [60, 120, 180].flatMap((at) => [
      `crls ${1_800_000_000 + at}`,
      `certificates ${1_800_000_000 + at}`,
      'folded',
    ]),
  );
});

t.test(
  'the secret of cookies is another after 12 hours, and the one before is good for 12 more',
  async (t) => {
    const { timers, cookies, secrets } = rig();
    const client = { transport: 'udp', family: 4, w0: 1, w1: 0, w2: 0, w3: 0 } as never;
    const written = Buffer.alloc(COOKIE_SIZE);
    const judge = (data: Buffer): boolean => {
      const query = new Query();
      const head = Buffer.from([0, 10, 0, data.length]);
      const octets = queryOctets('a.example', 'A', { options: Buffer.concat([head, data]) });
      if (readQuery(octets, octets.length, query) !== null) throw new Error('a good query');
      // The cookie's own hour is not what is looked at here.
      return cookies.judge(query, client, 1_800_000_000, written);
    };
    judge(Buffer.alloc(8, 9));
    const cookie = Buffer.from(written);
    for (const [hours, good, drawn] of [
      [11, true, 1],
      [2, true, 2],
      [12, false, 3],
    ] as const) {
      timers.pass(hours * HOUR);
      t.equal(judge(cookie), good);
      t.equal(secrets(), drawn);
    }
  },
);

t.test('a chore that meets a bug is told, and comes again as the others do', async (t) => {
  const timers = new Turned();
  const bugs: unknown[] = [];
  let sound = 0;
  const chores = new Chores(timers, (error) => bugs.push(error));
  chores.start([
    {
      name: 'broken',
      every: 10,
      work: () => {
        throw new Error('a bug');
      },
    },
    { name: 'sound', every: 10, work: () => void sound++ },
  ]);
  timers.pass(30);
  t.equal(bugs.length, 3);
  t.equal(sound, 3);
  chores.stop();
  timers.pass(100);
  t.equal(sound, 3, 'nothing is done after the stop');
});

t.test('of a lease that has ended no tally is kept, and its streams end', async (t) => {
  const tally = new Tally();
  const ended: string[] = [];
  const ports = leasePorts(tally, {
    endLease: (lease) => void ended.push(lease),
    withoutTcp: (prefixes) => prefixes.map(({ length }) => `/${length}`),
  });
  tally.count('one', VERDICT.DENY, true);
  t.match(ports.countsOf('one'), { deny: 1 });
  t.same(ports.withoutTcp([{ family: 4, words: [0], length: 8 }]), ['/8']);
  ports.leaseEnded('one');
  t.match(ports.countsOf('one'), { deny: 0 });
  t.same(ended, ['one']);
});
