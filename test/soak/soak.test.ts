import { randomFillSync } from 'node:crypto';
import { connect } from 'node:net';
import t from 'tap';
import { median, percentile } from '../hostile/latency.ts';
import { descriptors, MIB, residentOctets } from '../hostile/load.ts';
import { JOB, policyOf } from '../hostile/policy.ts';
import { Client, framed, queryOctets } from '../server/client.ts';
import { readMessage, replyOctets } from '../server/message.ts';
import { namegate, pause } from '../server/namegate.ts';
import { Random } from '../server/random.ts';
import { type Script, upstream } from '../server/upstream.ts';
import { minutesFor, patienceFor, settled } from './minutes.ts';

/**
 * Half an hour of everything that test/hostile has, in small doses and mixed: questions good and bad, connections that are
 * reset or say nothing, an upstream that lies and is away at times, reloads. Nothing may grow, no answer may be wrong.
 */

const MINUTES = minutesFor('soak');
const END = performance.now() + MINUTES * 60_000;
const GOOD = '198.51.100.1';
const SAMPLE_MS = Math.min(15_000, (MINUTES * 60_000) / 20);

t.setTimeout(patienceFor('soak'));

const policy = (change: number): string =>
  policyOf(
    {
      ...JOB,
      allow: [
        ...JOB.allow,
        '{ name: "*.mad.example", types: [A, TXT], reason: answered by a mad server }',
        `change${change}.good.example.com`,
      ],
    },
    { name: 'hostile', from: ['127.0.0.2', '127.1.0.0/16'], allow: ['*.silent.example'] },
  );

let away = false;
const random = new Random(20_261_120);

/** Answers about `good` names while it is not away; about `mad` ones it does what comes to its mind. */
const script: Script = (seen, to) => {
  const good = (): void => to.reply({ answer: [`${seen.name} ${1 + random.below(90)} A ${GOOD}`] });
  if (!seen.name.endsWith('.mad.example.')) {
    if (!away) good();
    return;
  }
  const dice = random.below(8);
  if (dice === 0) to.reply({ rcode: 2 + random.below(4) });
  else if (dice === 1) to.send(randomFillSync(Buffer.alloc(1 + random.below(400))));
  else if (dice === 2) setTimeout(good, random.below(4500));
  else if (dice === 3 && seen.over === 'udp') to.reply({ flags: 0x200 });
  else if (dice === 4) to.send(replyOctets(seen.octets, { answer: [`x.${seen.name} 60 A 203.0.113.66`] }));
  else if (dice === 5)
    to.reply({ answer: Array.from({ length: 40 }, (_, i) => `${seen.name} 30 A 198.51.100.${i}`) });
  else if (dice > 5) good();
};

const up = await upstream(t, script);
const mute = await upstream(t, () => {});
const server = await namegate(t, {
  policy: policy(0),
  servers: `[${up.url}]`,
  groups: `  silent: { servers: ["${mute.url}"], zones: [silent.example] }`,
  settings: 'cache: { size: 4MiB }',
});
const pid = server.child.pid!;

const wrong = new Map<string, number>();
const times: number[] = [];
let answered = 0;

function complain(what: string): void {
  wrong.set(what, (wrong.get(what) ?? 0) + 1);
}

const going = (): boolean => performance.now() < END && server.running;

/** The identity that works. Its known names are always answered; new ones, while the upstream is there. */
async function work(over: 'udp' | 'tcp'): Promise<void> {
  for (let n = 0; going(); ) {
    const client = await Client.open(server, over).catch(() => null);
    if (client === null) complain(`${over}: no connection`);
    for (let i = 0; client !== null && i < 500 && going() && !client.ended; i++, n++) {
      const kind = n % 4;
      const name = [
        `known${n % 10}.good.example`,
        `n${n}.${over}.example.net`,
        `m${n % 997}.mad.example`,
        `${over}${n}.good.example`,
      ][kind]!;
      const wasAway = away;
      const from = performance.now();
      const reply = await client.exchange(queryOctets(name), 6000);
      const took = performance.now() - from;
      if (reply === null) {
        if (!client.ended) complain(`${over}: no answer`);
        continue;
      }
      const { rcode, answer } = readMessage(reply);
      if (took > 4500) complain(`${over}: ${took.toFixed(0)} ms`);
      if (kind === 1 && rcode !== 'NXDOMAIN') complain(`${over}: denied and ${rcode}`);
      if (kind === 0 && answer[0]?.data !== GOOD) complain(`${over}: known and ${rcode}`);
      if (kind === 3 && !wasAway && !away && answer[0]?.data !== GOOD) complain(`${over}: new and ${rcode}`);
      if (answer.some(({ data }) => data === '203.0.113.66')) complain(`${over}: a lie`);
      if (kind === 0) times.push(took);
      answered++;
      await pause(4);
    }
    client?.close();
  }
}

/** Datagrams of every kind, as one address may send them. */
async function rain(): Promise<void> {
  const client = await Client.open(server, 'udp', '127.0.0.2');
  for (let n = 0; going(); n++) {
    const octets = queryOctets(`${random.next().toString(36)}.${n % 3 === 0 ? 'silent' : 'denied'}.example`);
    if (n % 5 === 0) for (let i = 0; i < 3; i++) octets[random.below(octets.length)] = random.below(256);
    client.send(n % 7 === 0 ? octets.subarray(0, random.below(octets.length)) : octets);
    client.strays.length = 0;
    await pause(2);
  }
  client.close();
}

/** Connections that are reset, half-closed, left alone, or filled with questions whose answers nobody reads. */
async function churn(): Promise<void> {
  const question = framed(queryOctets('x.denied.example'));
  for (let n = 0; going(); n++) {
    const socket = connect({ host: server.host, port: server.tcp, localAddress: `127.1.0.${1 + (n % 200)}` });
    socket.on('error', () => {});
    socket.on('connect', () => {
      const kind = n % 5;
      if (kind === 0) socket.end(question.subarray(0, random.below(question.length)));
      else if (kind === 1) setTimeout(() => socket.resetAndDestroy(), random.below(20)).ref();
      else if (kind === 2) socket.pause();
      if (kind > 0) socket.write(Buffer.concat(Array.from({ length: 200 }, () => question)));
      if (kind === 3) socket.write(question.subarray(0, 9));
      setTimeout(() => socket.destroy(), 12_000).unref();
    });
    if (n % 5 !== 2) socket.resume();
    await pause(25);
  }
}

/** The upstream is away for 8 s in each minute; the policy changes every 10 s. */
async function change(): Promise<void> {
  for (let n = 1; going(); n++) {
    away = n % 6 === 0;
    const name = `change${n}.good.example.com`;
    server.replace('policy/test.yaml', policy(n));
    if (n % 2 === 0) server.kill('SIGHUP');
    await pause(away ? 8000 : 10_000);
    if (away) {
      away = false;
      continue;
    }
    const client = await Client.open(server, 'udp');
    if (going() && (await client.ask(name)).rcode === 'NXDOMAIN')
      complain('a change did not come into force');
    client.close();
  }
}

interface Sample {
  readonly memory: number;
  readonly open: number;
  readonly p99: number;
}

const samples: Sample[] = [];

async function watch(): Promise<void> {
  while (going()) {
    await pause(SAMPLE_MS);
    if (!server.running) break;
    const sample = { memory: residentOctets(pid), open: descriptors(pid), p99: percentile(times, 0.99) };
    samples.push(sample);
    const minutes = ((MINUTES * 60_000 - (END - performance.now())) / 60_000).toFixed(1);
    const memory = (sample.memory / MIB).toFixed(0);
    t.comment(
      `${minutes} min: RSS ${memory} MiB, ${sample.open} descriptors, p99 ${sample.p99.toFixed(1)} ms, ${answered} answers`,
    );
    times.length = 0;
    up.seen.length = 0;
    mute.seen.length = 0;
  }
}

t.test(`${MINUTES} minutes of everything`, { timeout: patienceFor('soak') }, async (t) => {
  const first = await Client.open(server, 'udp');
  for (let i = 0; i < 10; i++) t.equal((await first.ask(`known${i}.good.example`)).answer[0]?.data, GOOD);
  first.close();
  // Many of them, for each waits whenever the mad server lets it wait.
  const workers = Array.from({ length: 12 }, (_, i) => work(i % 3 === 2 ? 'tcp' : 'udp'));
  await Promise.all([...workers, rain(), churn(), change(), watch()]);
  t.ok(server.running, 'it lives');
  t.same(Object.fromEntries(wrong), {}, `of ${answered} answers none is wrong`);
  const quarter = Math.floor(samples.length / 4);
  const of = (pick: (sample: Sample) => number, from: number): number =>
    median(samples.slice(from, from + quarter).map(pick));
  if (settled) {
    const [early, late] = [of(({ memory }) => memory, quarter), of(({ memory }) => memory, 3 * quarter)];
    t.ok(
      late <= early * 1.1,
      `RSS is flat: ${(early / MIB).toFixed(0)} MiB, then ${(late / MIB).toFixed(0)}`,
    );
    const [open, opened] = [of(({ open }) => open, quarter), of(({ open }) => open, 3 * quarter)];
    t.ok(opened <= open * 1.2 + 50, `descriptors too: ${open}, then ${opened}`);
  }
  t.same(up.unsound, [], 'nothing unsound went upstream');
  // Those that are left are idle, and end.
  await pause(12_000);
  t.ok(descriptors(pid) < 60, `${descriptors(pid)} descriptors in the end`);
  await server.stop(t);
});
