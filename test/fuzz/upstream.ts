/** The upstream side: a scripted upstream whose replies are mutations, and clients that must get something sound in time. */

import { running } from '../clock.ts';
import { Client, framed, queryOctets, type Transport } from '../server/client.ts';
import { type Message, readMessage, replyOctets } from '../server/message.ts';
import type { Random } from '../server/random.ts';
import { message } from '../wire/build.ts';
import { type Case, caseText, keepCase, type RunOptions, type RunResult, randomOf } from './case.ts';
import { type Corpus, corpus, replyShapes } from './corpus.ts';
import { Memory } from './memory.ts';
import { mutate } from './mutate.ts';
import { questionEnd } from './plain-reader.ts';
import { type Answering, Target } from './target.ts';

const GOOD = '198.51.100.1';
/** In what no reply to the question may be taken for. */
const LIE = '203.0.113.66';
/** Questions under way at once. */
const IN_FLIGHT = 400;
/** Milliseconds: the 4 s in which every client has an answer, and what this process may be late. */
const LATEST = 6000;
/** Milliseconds that a question may wait for a processor before its reply can come too late: an attempt of namegate is no shorter. */
const BUSY = 300;

/**
 * - `forged`: another ID, port or question, or no response at all; a good reply follows, and must be what is given;
 * - `mutated`: the right ID and question, as far as the mutation left them; a good reply follows, mostly.
 */
interface Plan {
  readonly kind: 'forged' | 'mutated';
  readonly over: Transport;
  /** With ID 0 and the name in lower case: what the question has in their place is written in when it is sent. */
  readonly replies: readonly Buffer[];
  readonly template: Buffer;
  readonly elsewhere: boolean;
  /** Over TCP, what is added to the length in front of each reply. */
  readonly frameError: number;
  readonly goodFollows: boolean;
}

/** The name that case `index` asks: it leads the upstream to the case. */
function nameOf(index: number, over: Transport): string {
  return `c${index}.${over === 'tcp' ? 'tcp' : 'up'}.example`;
}

function plan(seed: number, index: number, { all, replies: sources }: Corpus): Plan {
  const random = randomOf(seed, index);
  const over: Transport = random.once(6) ? 'tcp' : 'udp';
  const name = `${nameOf(index, over)}.`;
  const template = queryOctets(name, { id: 0 });
  const forged = over === 'udp' && random.once(3);
  const shapes = replyShapes(name).map((shape) => shaped(template, shape));
  const replies = Array.from({ length: forged ? 1 + random.below(4) : 1 }, () =>
    forged
      ? forge(random, name, all)
      : mutate(random, random.once(4) ? around(random.pick(sources), template) : random.pick(shapes), all),
  );
  const elsewhere = forged && random.once(4);
  const frameError = over === 'tcp' && random.once(8) ? random.pick([1, -1, 300, -20, 0x7000]) : 0;
  const goodFollows = forged || !random.once(40);
  return { kind: forged ? 'forged' : 'mutated', over, replies, template, elsewhere, frameError, goodFollows };
}

function shaped(template: Buffer, shape: Parameters<typeof message>[0]): Buffer {
  const octets = message({
    flags: 0x8180,
    ...shape,
    id: 0,
    questions: [template.subarray(12, questionEnd(template))],
  });
  return octets;
}

/** The header and records of another message around the question. */
function around(octets: Buffer, template: Buffer): Buffer {
  if (octets.length < 12) return octets;
  const header = Buffer.from(octets.subarray(0, 12));
  header.writeUInt16BE(0, 0);
  header[2]! |= 0x80;
  header.writeUInt16BE(1, 4);
  return Buffer.concat([
    header,
    template.subarray(12, questionEnd(template)),
    octets.subarray(questionEnd(octets)),
  ]);
}

/** A reply with a lie that is not to the question, whatever else the mutation made of it. */
function forge(random: Random, name: string, all: readonly Buffer[]): Buffer {
  const other = random.once(2) ? `x${name.slice(1)}` : `${name.slice(0, -1)}.x.`;
  const lie = (asked: string): Buffer =>
    replyOctets(queryOctets(asked, { id: 0 }), {
      answer: [`${asked} 60 A ${LIE}`],
      additional: [`${name} 60 A ${LIE}`],
    });
  const mutated = random.once(2) ? mutate(random, lie(name), all) : lie(name);
  // Whether it is a response to the question is decided by the first octets.
  const out = mutated.length < 12 ? Buffer.concat([mutated, Buffer.alloc(12 - mutated.length)]) : mutated;
  switch (random.below(3)) {
    case 0:
      out.writeUInt16BE(1 + random.below(0xffff), 0);
      return out;
    case 1:
      out[2]! &= 0x7f;
      return out;
    default:
      return lie(other);
  }
}

/** Octets that were made for ID 0 and a name in lower case, for a question as it was sent: its ID and its case. */
function live(octets: Buffer, template: Buffer, asked: Buffer): Buffer {
  const out = Buffer.from(octets);
  const end = Math.min(out.length, questionEnd(template), asked.length);
  for (let at = 0; at < end; at++) if (at < 2 || at >= 12) out[at]! ^= template[at]! ^ asked[at]!;
  return out;
}

function goodReply(asked: Buffer): Buffer {
  const octets = Buffer.concat([
    asked.subarray(0, questionEnd(asked)),
    Buffer.from('c00c000100010000003c0004c6336401', 'hex'),
  ]);
  octets[2]! |= 0x80;
  octets[7] = 1;
  octets[11] = 0;
  return octets;
}

/** Answers a question by the plan that `planOf` has for its name. */
function answeringBy(planOf: (name: string) => Plan | null): Answering {
  return (asked, over, send, elsewhere) => {
    const name = readMessage(asked).question!.name.toLowerCase();
    const planned = planOf(name);
    const wrapped = (octets: Buffer, error = 0): Buffer => {
      if (over === 'udp') return octets;
      const frame = framed(octets);
      frame.writeUInt16BE(Math.max(0, octets.length + error), 0);
      return frame;
    };
    if (planned === null) {
      send(wrapped(goodReply(asked)));
      return;
    }
    for (const octets of planned.replies) {
      const reply = planned.elsewhere
        ? replyOctets(asked, { answer: [`${name} 60 A ${LIE}`] })
        : live(octets, planned.template, asked);
      (planned.elsewhere ? elsewhere : send)(wrapped(reply, planned.frameError));
    }
    if (planned.goodFollows) send(wrapped(goodReply(asked)));
  };
}

export async function fuzzUpstream({ cases, seed, progress }: RunOptions): Promise<RunResult> {
  const sources = corpus();
  const plans = new Map<string, { readonly planned: Plan; readonly index: number }>();
  const target = await Target.start(answeringBy((name) => plans.get(name)?.planned ?? null));
  const memory = new Memory(target.server.child.pid!, cases);
  const client = await Client.open(target.server, 'udp');
  const ended = new Map<string, number>();
  let fault: string | null = null;
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (memory.goesOn(next) && fault === null) {
      const index = next++;
      const planned = plan(seed, index, sources);
      const name = `${nameOf(index, planned.over)}.`;
      plans.set(name, { planned, index });
      const what = await askFor(client, name, planned, index, ended);
      plans.delete(name);
      done++;
      if (what !== null) fault ??= report(what, planned, name, `seed ${seed}, case ${index}`);
      memory.look(done);
    }
  };
  const watch = async (): Promise<void> => {
    while ((done < next || memory.goesOn(next)) && fault === null) {
      fault ??= await target.fault(done % 2 === 0 ? 'udp' : 'tcp');
      progress?.(done);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  try {
    await Promise.all([watch(), ...Array.from({ length: Math.min(IN_FLIGHT, cases) }, work)]);
    const [stray] = client.strays;
    if (stray !== undefined) fault ??= `a reply that nobody waits for: ${stray.toString('hex')}`;
    fault ??= memory.fault;
    fault ??= await target.stop();
    const told = [...ended].sort().map(([what, count]) => `${what} ${count}`);
    return {
      cases: done,
      failure: fault,
      told: `${told.join(', ')}; slowest good answer ${Math.round(target.slowest)} ms; ${memory.told}`,
    };
  } finally {
    client.close();
    await target.close();
  }
}

/** Asks, and says what is wrong with what comes, or null. */
async function askFor(
  client: Client,
  name: string,
  planned: Plan,
  index: number,
  ended: Map<string, number>,
): Promise<string | null> {
  const [from, began] = [running(), performance.now()];
  const octets = await client.exchange(queryOctets(name, { id: index & 0xffff }), 5 * LATEST);
  const took = Math.round(running() - from);
  if (octets === null) return 'no reply';
  let reply: Message;
  try {
    reply = readMessage(octets);
  } catch (error) {
    return `a reply that does not parse: ${String(error)}: ${octets.toString('hex')}`;
  }
  const what = planned.kind === 'forged' ? 'forged' : 'mutated';
  const key = `${what} ${reply.rcode}${reply.answer.length > 0 ? ' with records' : ''}`;
  ended.set(key, (ended.get(key) ?? 0) + 1);
  if (took > LATEST) return `${took} ms`;
  const unsound = unsoundness(reply, name);
  if (unsound !== null) return `${unsound}: ${octets.toString('hex')}`;
  if (planned.kind !== 'forged') return null;
  const good = reply.rcode === 'NOERROR' && reply.answer.length === 1 && reply.answer[0]?.data === GOOD;
  // A machine that was busy for so long may have kept the good reply from being read in time.
  const held = performance.now() - began - took;
  const late = reply.rcode === 'SERVFAIL' && held > BUSY;
  return good || late
    ? null
    : `a forged reply took effect: ${reply.rcode} ${reply.answer.map(({ data }) => data).join()}`;
}

/** What a reply to `name` A may hold: its chain and what stands at the end, and the SOA of a negative one. */
function unsoundness(reply: Message, name: string): string | null {
  if (reply.question?.name !== name || reply.question.type !== 'A') return 'another question';
  if (!['NOERROR', 'NXDOMAIN', 'SERVFAIL'].includes(reply.rcode)) return reply.rcode;
  if (reply.additional.length > 0) return 'additional records';
  let owner = name;
  for (const { owner: at, type, class: cls, data } of reply.answer) {
    const covers =
      type === 'DNAME' && (at === '.' || `.${owner}`.toLowerCase().endsWith(`.${at.toLowerCase()}`));
    if (cls !== 1) return `class ${cls}`;
    if (covers) continue;
    if (at.toLowerCase() !== owner.toLowerCase()) return `a record of ${at}`;
    if (type === 'CNAME') owner = data;
    else if (type !== 'A') return `a record of type ${type}`;
  }
  const above = (zone: string): boolean =>
    zone === '.' || `.${owner}`.toLowerCase().endsWith(`.${zone.toLowerCase()}`);
  for (const { owner: at, type, class: cls } of reply.authority) {
    if (type !== 'SOA' || cls !== 1 || !(above(at) || name.endsWith(`.${at.toLowerCase()}`)))
      return `${type} of ${at} in authority`;
  }
  return null;
}

function report(what: string, planned: Plan, name: string, where: string): string {
  const texts = planned.replies.map((octets) => {
    const each: Case = { octets, over: planned.over, ask: name };
    const comment = `${what}\n${where}, ${planned.kind}${planned.elsewhere ? ' from another port' : ''}`;
    return `${caseText('upstream', each, comment)}this case again: npm run fuzz -- --replay ${keepCase('upstream', each, comment)}`;
  });
  return [`upstream over ${planned.over}: ${what}`, ...texts].join('\n');
}

/** Answers the question of the case with its octets, with and without a good reply behind them. */
export async function replayUpstream(each: Case): Promise<string | null> {
  return (await replayOnce(each, true)) ?? (await replayOnce(each, false));
}

async function replayOnce({ octets, over, ask }: Case, goodFollows: boolean): Promise<string | null> {
  const name = ask ?? `${nameOf(0, over)}.`;
  const template = queryOctets(name, { id: 0 });
  // A vector is about some other question.
  const replies = [ask === null ? around(octets, template) : octets];
  const planned: Plan = {
    kind: 'mutated',
    over,
    replies,
    template,
    elsewhere: false,
    frameError: 0,
    goodFollows,
  };
  const target = await Target.start(answeringBy(() => planned));
  const client = await Client.open(target.server, 'udp');
  try {
    const fault = (await askFor(client, name, planned, 1, new Map())) ?? (await target.fault('udp'));
    return fault ?? (await target.stop());
  } finally {
    client.close();
    await target.close();
  }
}
