import t from 'tap';
import { running } from '../clock.ts';
import { ask } from './client.ts';
import type { Message } from './message.ts';
import { type Namegate, namegate, pause, until } from './namegate.ts';
import { plain, type Script, silent, type Upstream, upstream } from './upstream.ts';

/** How long a client waits when upstreams are dead, lame, slow or come back. One server, one zone a case. */

const CASES = [
  'dead',
  'lame',
  'both',
  'closed',
  'stall',
  'late',
  'slow',
  'stale',
  'stale-closed',
  'back',
  'stream',
] as const;
type Case = (typeof CASES)[number];

const refusing: Script = (_seen, to) => to.reply({ rcode: 5 });
const after =
  (ms: number): Script =>
  (seen, to) =>
    void setTimeout(() => plain(seen, to), ms);

/** Answers with a TTL of one second while `on`. */
function brief(): { on: boolean; script: Script } {
  const state = {
    on: true,
    script: (({ name, type }, to) => {
      if (!state.on) return;
      const soa = `example. 1 SOA a.example. b.example. 1 2 3 4 1`;
      if (name.startsWith('gone')) to.reply({ rcode: 3, authority: [soa] });
      else to.reply(type === 'A' ? { answer: [`${name} 1 A 198.51.100.1`] } : { authority: [soa] });
    }) satisfies Script as Script,
  };
  return state;
}

const good = await upstream(t, plain);
const second = await upstream(t, plain);
const dead = await upstream(t, silent);
const dead2 = await upstream(t, silent);
const lame = await upstream(t, refusing);
const lame2 = await upstream(t, refusing);
const slow = await upstream(t, after(900));
const late = await upstream(t, after(4300));
const closed = await upstream(t, plain);
const closing = brief();
const fading = brief();
const stale = await upstream(t, fading.script);
const staleClosed = await upstream(t, closing.script);
const back = await upstream(t, silent);
const stalling = await upstream(t, silent);
await closed.close();

const SERVERS: Readonly<Record<Case, readonly Upstream[]>> = {
  dead: [dead, good],
  lame: [lame, lame2, good],
  both: [lame, dead],
  closed: [closed],
  stall: [dead2],
  late: [late],
  slow: [slow],
  stale: [stale],
  'stale-closed': [staleClosed],
  back: [back, second],
  stream: [stalling],
};

/** Written out: names under a wildcard are kept fresh once they are paid for. */
const STALE = ['one', 'gone', 'never']
  .map((name) => `${name}.stale.example`)
  .concat('one.stale-closed.example');

const server: Namegate = await namegate(t, {
  policy: `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [${[...CASES.map((name) => `*.${name}.example`), ...STALE].map((name) => `{ name: "${name}", reason: a case }`).join(', ')}]
`,
  groups: CASES.map((name) => {
    const servers = SERVERS[name].map(({ url }) => (name === 'stream' ? url.replace('udp:', 'tcp:') : url));
    return `  ${name}: { servers: ${JSON.stringify(servers)}, zones: [${name}.example] }`;
  }).join('\n'),
});

async function timed(name: string): Promise<{
  readonly reply: Message;
  /** Milliseconds as the machine let this process run, and as they went by. */
  readonly took: number;
  readonly waited: number;
  /** What counts as at once, by a question that nobody is asked about. */
  readonly soon: number;
  readonly what: string;
}> {
  const [from, started] = [running(), performance.now()];
  const reply = await ask(server, name);
  const [took, waited] = [running() - from, performance.now() - started];
  await ask(server, 'denied.invalid');
  const soon = 100 + 10 * (performance.now() - started - waited);
  const { rcode, answer, opt } = reply;
  const ede = opt?.ede.map(({ code }) => code).sort((a, b) => a - b) ?? [];
  return {
    reply,
    took,
    waited,
    soon,
    what: [
      rcode,
      ...answer.map(({ ttl, data }) => `${ttl} ${data}`),
      ...ede.map((code) => `EDE ${code}`),
    ].join(' '),
  };
}

/** What a test process on a busy machine may add to a time. */
const SLACK = 250;

const ANSWER = 'NOERROR 60 198.51.100.1';

const tests: Readonly<
  Record<string, (t: Pick<typeof import('tap').t, 'equal' | 'ok' | 'same' | 'match'>) => Promise<void>>
> = {
  'a dead server before a good one: 400 ms once, then none': async (t) => {
    const first = await timed('one.dead.example');
    t.equal(first.what, ANSWER);
    t.ok(first.took < 400 + SLACK, 'the first retry comes within 400 ms', first);
    for (const name of ['two', 'three', 'four']) {
      const next = await timed(`${name}.dead.example`);
      t.equal(next.what, ANSWER);
      t.ok(next.took < next.soon, 'the good one is asked first', next);
    }
    t.ok(good.seen.some(({ name }) => name === 'one.dead.example.'));
    // When a probe fails too, it is no single lost datagram any more.
    // A written-out name's answer is kept for five seconds at least.
    await pause(5100);
    await timed('five.dead.example');
    await server.logged('upstream-down', 1, 5000);
  },
  'lame servers among good ones: the next, at once': async (t) => {
    for (const name of ['one', 'two', 'three', 'four', 'five']) {
      const { what, took, soon } = await timed(`${name}.lame.example`);
      t.equal(what, ANSWER);
      t.ok(took < soon, `${name} at once`, { took });
    }
  },
  'a lame server and a dead one: SERVFAIL within 4 s, never REFUSED or NXDOMAIN': async (t) => {
    const { what, took } = await timed('one.both.example');
    t.equal(what, 'SERVFAIL EDE 22');
    t.ok(took < 4000, 'within 4 s', { took });
  },
  'a server that is not there: SERVFAIL at once, EDE 23': async (t) => {
    const { what, took } = await timed('one.closed.example');
    t.equal(what, 'SERVFAIL EDE 23');
    t.ok(took < 500, 'at once', { took });
    const again = await timed('one.closed.example');
    t.equal(again.what, 'SERVFAIL EDE 13 EDE 23', 'and from memory');
    t.ok(again.took < again.soon, 'without asking', again);
  },
  'silence: SERVFAIL within 4 s, EDE 22, then from memory': async (t) => {
    const asked = dead2.seen.length;
    const { what, took, waited } = await timed('one.stall.example');
    t.equal(what, 'SERVFAIL EDE 22');
    t.ok(waited > 3000 && took < 4000, 'within 4 s', { took });
    const times = dead2.seen.slice(asked).map(({ at }) => at);
    t.ok(times.length >= 3, 'asked again meanwhile', { times });
    t.ok(times[1]! - times[0]! <= 400 + SLACK, 'the first time within 400 ms', { times });
    const again = await timed('one.stall.example');
    t.equal(again.what, 'SERVFAIL EDE 13 EDE 22');
    t.ok(again.took < again.soon, 'without asking', again);
  },
  'silence on a TCP upstream: SERVFAIL within 4 s': async (t) => {
    const { what, took } = await timed('one.stream.example');
    t.equal(what, 'SERVFAIL EDE 22');
    t.ok(took < 4000, 'within 4 s', { took });
  },
  'an answer that comes too late changes nothing': async (t) => {
    const { what, took } = await timed('one.late.example');
    t.equal(what, 'SERVFAIL EDE 22');
    t.ok(took < 4000, 'within 4 s', { took });
  },
  'a slow server: its answer, and one question from us is enough for it': async (t) => {
    const { what, took, waited } = await timed('one.slow.example');
    t.equal(what, ANSWER);
    t.ok(waited > 880 && took < 900 + 2 * SLACK, 'when it comes', { took });
  },
  'stale data after 1.8 s of silence, TTL 30, EDE 3; then at once': async (t) => {
    t.equal((await timed('one.stale.example')).what, 'NOERROR 1 198.51.100.1');
    t.equal((await timed('gone.stale.example')).what, 'NXDOMAIN');
    fading.on = false;
    // A written-out name's answer is kept for five seconds at least.
    await pause(5100);
    const [positive, negative, never] = await Promise.all([
      timed('one.stale.example'),
      timed('gone.stale.example'),
      timed('never.stale.example'),
    ]);
    t.equal(positive.what, 'NOERROR 30 198.51.100.1 EDE 3');
    t.ok(positive.waited > 1700 && positive.took < 1800 + SLACK, 'after 1.8 s', positive);
    t.equal(negative.what, 'NXDOMAIN EDE 19');
    t.equal(never.what, 'SERVFAIL EDE 22', 'what was never known fails');
    const again = await timed('one.stale.example');
    t.equal(again.what, 'NOERROR 30 198.51.100.1 EDE 3');
    t.ok(again.took < again.soon, 'then at once', again);
    fading.on = true;
    const took = await until(
      async () => (await timed('one.stale.example')).what === 'NOERROR 1 198.51.100.1',
      () => 'it stays stale',
    );
    t.ok(took < 6000, 'fresh again when the server is', { took });
  },
  'stale data at once where the server is gone': async (t) => {
    t.equal((await timed('one.stale-closed.example')).what, 'NOERROR 1 198.51.100.1');
    await staleClosed.close();
    // A written-out name's answer is kept for five seconds at least.
    await pause(5100);
    const { what, took } = await timed('one.stale-closed.example');
    t.equal(what, 'NOERROR 30 198.51.100.1 EDE 3');
    t.ok(took < 500, 'at once', { took });
  },
  'a server that comes back is asked again within 5 s': async (t) => {
    t.equal((await timed('first.back.example')).what, ANSWER);
    back.script = plain;
    const from = performance.now();
    let number = 0;
    const served = (): boolean =>
      back.seen.some(({ at, name }) => at > from && name.startsWith('n') && onlyAsked(name));
    const onlyAsked = (name: string): boolean => !second.seen.some((other) => other.name === name);
    const took = await until(
      async () => {
        const { what, took } = await timed(`n${number++}.back.example`);
        t.ok(what === ANSWER && took < 400 + SLACK, 'answered all the while', { took, what });
        return served();
      },
      () => 'it was not asked again',
    );
    t.ok(took < 5000, 'within 5 s', { took });
  },
};

t.test('all at once', { jobs: 20 }, async (t) => {
  await Promise.all(
    Object.entries(tests).map(([name, run]) =>
      t.test(name, async (t) => {
        await run(t);
      }),
    ),
  );
});

t.test('what is down is in the log, and there is no line a query', async (t) => {
  // In whatever order they went down.
  const down = server.events('upstream-down').find(({ group }) => group === 'dead');
  t.match(down, { server: dead.url, detail: 'no reply' });
  t.ok(server.log.length < 60, `${server.log.length} lines`);
  await server.stop(t);
});
