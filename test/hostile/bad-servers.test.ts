import { randomFillSync } from 'node:crypto';
import t from 'tap';
import { Client } from '../server/client.ts';
import { replyOctets } from '../server/message.ts';
import { type Namegate, namegate, pause, until } from '../server/namegate.ts';
import { type Script, type Seen, silent, type Upstream, upstream } from '../server/upstream.ts';
import { percentile } from './latency.ts';
import { policyOf } from './policy.ts';

/** Servers that are dead, lame, mad or old-fashioned among good ones; and all of them gone for a while. */

const GOOD = '198.51.100.1';
const OUTAGE_MS = 8_000;

const good: Script = ({ name }, to) => to.reply({ answer: [`${name} 1 A ${GOOD}`] });

/** Octets that are no message, then a message with the right question and nonsense behind it. */
const garbage: Script = (seen, to) => {
  for (let i = 0; i < 20; i++) to.send(randomFillSync(Buffer.alloc(1 + ((i * 37) % 600))));
  const reply = replyOctets(seen.octets, { answer: [`${seen.name} 60 A 203.0.113.66`] });
  reply.writeUInt16BE(3, 6);
  to.send(Buffer.concat([reply, randomFillSync(Buffer.alloc(40))]));
};

/** Answers well, in lower case. */
const folding: Script = (seen, to) => {
  const octets = Buffer.from(seen.octets);
  octets.write(lowerWire(seen), 12, 'latin1');
  to.send(replyOctets(octets, { answer: [`${seen.name} 1 A ${GOOD}`] }));
};

function lowerWire({ octets, written }: Seen): string {
  return octets
    .toString('latin1', 12, 12 + written.length)
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

const SCRIPTS: Readonly<Record<string, Script>> = {
  silent,
  lame: (_seen, to) => to.reply({ rcode: 5 }),
  // Lame as authoritative servers are: go and ask elsewhere.
  referring: ({ name }, to) => to.reply({ authority: [`example 60 NS ns.${name}`] }),
  broken: (_seen, to) => to.reply({ rcode: 2 }),
  garbage,
  'header-alone': ({ octets }, to) => {
    const header = Buffer.alloc(12);
    octets.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180, 2);
    to.send(header);
  },
  looping: ({ name }, to) => to.reply({ answer: [`${name} 60 CNAME ${name}`] }),
  folding,
};
/** Come over TCP, it says, and says nothing there: each new name waits for it. */
const cut: Script = ({ over }, to) => {
  if (over === 'udp') to.reply({ flags: 0x200 });
};

/** A server that is not there, and the others. */
const KINDS = ['dead', ...Object.keys(SCRIPTS)];

/** Approves the names of these zones. */
function zonesOf(zones: readonly string[]): string {
  return policyOf({ name: 'job', from: ['127.0.0.0/8'], allow: zones.map((zone) => `*.${zone}.example`) });
}

/** One group and zone for each kind, with that kind first and the good server last. */
async function serve(): Promise<Namegate> {
  const made = new Map<string, Upstream>();
  for (const kind of KINDS) made.set(kind, await upstream(t, SCRIPTS[kind] ?? silent));
  await made.get('dead')!.close();
  const last = await upstream(t, good);
  const groups = KINDS.map((kind, i) => {
    const order = [...KINDS.slice(i), ...KINDS.slice(0, i)].map((other) => made.get(other)!.url);
    return `  ${kind}: { servers: ${JSON.stringify([...order, last.url])}, zones: [${kind}.example] }`;
  });
  const servers = [(await upstream(t, cut)).url, last.url];
  groups.push(`  cut: { servers: ${JSON.stringify(servers)}, zones: [cut.example] }`);
  return namegate(t, {
    policy: zonesOf([...KINDS, 'cut']),
    groups: groups.join('\n'),
  });
}

const server = await serve();
const client = await Client.open(server, 'udp');
t.teardown(() => client.close());

async function timed(
  client: Client,
  name: string,
): Promise<{ readonly what: string; readonly took: number }> {
  const from = performance.now();
  const { rcode, answer, opt } = await client.ask(name);
  const stale = opt?.ede.some(({ code }) => code === 3) === true ? ' stale' : '';
  return {
    what: [rcode, ...answer.map(({ data }) => data)].join(' ') + stale,
    took: performance.now() - from,
  };
}

t.test('every kind of bad server before a good one: every name is served, and soon', async (t) => {
  const times: number[] = [];
  const wrong: string[] = [];
  for (let round = 0; round < 30; round++) {
    await Promise.all(
      KINDS.map(async (kind) => {
        const name = `n${round}.${kind}.example`;
        const { what, took } = await timed(client, name);
        if (what !== `NOERROR ${GOOD}`) wrong.push(`${name}: ${what} after ${took.toFixed(0)} ms`);
        times.push(took);
      }),
    );
  }
  t.same(wrong, [], 'all are answered, none with what the mad one said');
  t.ok(Math.max(...times) < 2500, `the slowest took ${Math.max(...times).toFixed(0)} ms`);
  t.ok(percentile(times, 0.5) < 100, `half of them took at most ${percentile(times, 0.5).toFixed(0)} ms`);
  // One that answers is preferred to one that fails.
  const later = times.slice(-KINDS.length * 10);
  t.ok(percentile(later, 0.8) < 100, `of the last 80 % took at most ${percentile(later, 0.8).toFixed(0)} ms`);
});

t.test(
  'a server that truncates and is silent over TCP before a good one: every name is served within 1 s',
  async (t) => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => timed(client, `n${i}.cut.example`)),
    );
    t.ok(
      answers.every(({ what }) => what === `NOERROR ${GOOD}`),
      'all are served',
    );
    const slowest = Math.max(...answers.map(({ took }) => took));
    t.ok(slowest < 1000, `the slowest took ${slowest.toFixed(0)} ms`);
  },
);

const OUTAGES = ['silent', 'closed', 'failing'] as const;

t.test('an outage: what was known is served stale, and all is well within 5 s of its end', async (t) => {
  let down = false;
  const ups = new Map<string, Upstream>();
  for (const kind of OUTAGES) {
    const script: Script = (seen, to) => {
      if (!down) good(seen, to);
      else if (kind === 'failing') to.reply({ rcode: 2 });
    };
    ups.set(kind, await upstream(t, script));
  }
  const zones = OUTAGES.map(
    (kind) => `  ${kind}: { servers: ["${ups.get(kind)!.url}"], zones: [${kind}.example] }`,
  );
  const server = await namegate(t, { policy: zonesOf(OUTAGES), groups: zones.join('\n') });
  const client = await Client.open(server, 'udp');
  const known = OUTAGES.flatMap((kind) => Array.from({ length: 5 }, (_, i) => `known${i}.${kind}.example`));
  const never = OUTAGES.flatMap((kind) => Array.from({ length: 5 }, (_, i) => `never${i}.${kind}.example`));
  const before = await Promise.all(known.map((name) => timed(client, name)));
  t.ok(before.every(({ what }) => what === `NOERROR ${GOOD}`));
  const port = ups.get('closed')!.port;
  await ups.get('closed')!.close();
  down = true;
  await pause(1100);

  const wrong = new Set<string>();
  let slowest = 0;
  let going = true;
  /** As a program that tries again and again. */
  const insist = async (name: string, expected: string): Promise<void> => {
    while (going) {
      const { what, took } = await timed(client, name);
      slowest = Math.max(slowest, took);
      if (going && what !== expected) wrong.add(`${name}: ${what}`);
      await pause(500);
    }
  };
  const insisting = [
    ...known.map((name) => insist(name, `NOERROR ${GOOD} stale`)),
    ...never.map((name) => insist(name, 'SERVFAIL')),
  ];
  await pause(OUTAGE_MS);
  going = false;
  await Promise.all(insisting);
  t.same([...wrong], [], 'known names are served stale, others fail');
  t.ok(slowest < 4300, `within 4 s: ${slowest.toFixed(0)} ms`);

  down = false;
  await ups.get('closed')!.open(port);
  const end = performance.now();
  const back = async (name: string): Promise<readonly [string, number]> => {
    await until(
      async () => (await timed(client, name)).what === `NOERROR ${GOOD}`,
      () => `${name} is not back`,
      40_000,
    );
    return [name, Math.round(performance.now() - end)];
  };
  const fresh = OUTAGES.map((kind) => `fresh.${kind}.example`);
  const times = await Promise.all([...fresh, ...known, ...never].map(back));
  t.comment(`the last is back after ${Math.max(...times.map(([, took]) => took))} ms`);
  t.same(
    times.filter(([, took]) => took > 5000),
    [],
    'all of them within 5 s',
  );
  client.close();
  await server.stop(t);
});
