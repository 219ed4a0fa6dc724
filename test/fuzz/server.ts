/** The whole server over UDP and TCP: mutated queries to a real process, each reply held to its question. */

import type { Place } from '../server/client.ts';
import { readMessage } from '../server/message.ts';
import type { Random } from '../server/random.ts';
import {
  type Case,
  caseText,
  keepCase,
  minimise,
  type RunOptions,
  type RunResult,
  randomOf,
} from './case.ts';
import { type Corpus, corpus } from './corpus.ts';
import { Memory } from './memory.ts';
import { mutate } from './mutate.ts';
import { type Fault, type Manner, type ReplyCheck, tcpRound, UdpPeer } from './peers.ts';
import { questionEnd, readPlainQuery } from './plain-reader.ts';
import { type Answering, Target } from './target.ts';

/** Messages that one socket sends before it waits, and connections that are open at once. */
const WINDOW = 64;
const PIPELINE = 24;
const CONNECTIONS = 6;
/** Of so many rounds one goes over TCP. */
const TCP_ROUNDS = 3;
/** Milliseconds for a reply; an upstream that answers at once stands behind approved names. */
const PATIENCE = 4000;

/** Sources of UDP: two addresses that the policy knows, one that it does not, and one whose source is a claim. */
const SOURCES = [
  { host: '127.0.0.1', from: '127.0.0.1' },
  { host: '127.0.0.1', from: '127.0.0.1' },
  { host: '::1', from: '::1' },
  { host: '127.0.0.1', from: '127.0.0.7' },
  { host: '0.0.0.0', from: '127.0.0.1' },
] as const;

/** Where a source asks. */
function placeOf({ server }: Target, { host }: (typeof SOURCES)[number]): Place {
  return { ...server.at(host), host: host === '0.0.0.0' ? '127.0.0.1' : host };
}

const ADDRESS = Buffer.from('c00c000100010000003c0004c6336401', 'hex');

/** Any question gets an address; one in three gets more of them than fit a datagram without EDNS, or with it. */
const answering: Answering = (asked, over, send) => {
  const count = [1, 60, 100][questionEnd(asked) % 3]!;
  const reply = Buffer.concat([asked.subarray(0, questionEnd(asked)), ...Array<Buffer>(count).fill(ADDRESS)]);
  for (let i = 1; i < count; i++) reply[reply.length - 16 * i - 1] = i;
  reply[2]! |= 0x80;
  reply[7] = count;
  reply[11] = 0;
  send(over === 'tcp' ? Buffer.concat([Buffer.from([reply.length >>> 8, reply.length]), reply]) : reply);
};

export async function fuzzServer({ cases, seed, progress }: RunOptions): Promise<RunResult> {
  const sources = corpus();
  const target = await Target.start(answering);
  const run = new ServerRun(target);
  const memory = new Memory(target.server.child.pid!, cases);
  let done = 0;
  try {
    await run.open();
    for (let round = 0; memory.goesOn(done); round++) {
      const over = round % TCP_ROUNDS === 0 ? 'tcp' : 'udp';
      const left = done < cases ? cases - done : Number.POSITIVE_INFINITY;
      const size = Math.min(left, over === 'udp' ? SOURCES.length * WINDOW : CONNECTIONS * PIPELINE);
      const messages = Array.from({ length: size }, (_, i) => serverCase(seed, done + i, sources));
      const fault =
        (await run.round(over, messages, randomOf(seed, -1 - round))) ?? asFault(await target.fault(over));
      if (fault !== null) {
        const suspects = fault.sent === null ? messages : [fault.sent.octets];
        const where = `seed ${seed}, cases ${done} to ${done + size - 1}`;
        return { cases: done, failure: await report(fault.what, over, suspects, where), told: '' };
      }
      done += size;
      memory.look(done);
      progress?.(done);
    }
    const grown = memory.fault;
    run.close();
    const end = await target.stop();
    const slowest = `slowest good answer ${Math.round(target.slowest)} ms`;
    return { cases: done, failure: end ?? grown, told: `${run.told}; ${slowest}; ${memory.told}` };
  } finally {
    run.close();
    await target.close();
  }
}

function asFault(what: string | null): Fault | null {
  return what === null ? null : { what, sent: null };
}

function serverCase(seed: number, index: number, { queries, all }: Corpus): Buffer {
  const random = randomOf(seed, index);
  let octets = mutate(random, random.pick(queries), all);
  // Half of them shall be queries still, so that more than the reader is reached.
  for (let tries = random.once(2) ? 10 : 0; tries > 0 && readPlainQuery(octets) === null; tries--)
    octets = mutate(random, random.pick(queries), all);
  // Most mutations of flags make a response, which is only dropped.
  if (octets.length > 2 && !random.once(8)) octets[2]! &= 0x7f;
  return octets;
}

/** The clients of one server. */
class ServerRun {
  readonly #target: Target;
  #peers: UdpPeer[] = [];
  readonly #rcodes = new Map<string, number>();

  constructor(target: Target) {
    this.#target = target;
  }

  async open(): Promise<void> {
    this.#peers = await Promise.all(
      SOURCES.map((source) => UdpPeer.open(placeOf(this.#target, source), source.from, this.#check)),
    );
  }

  close(): void {
    for (const peer of this.#peers.splice(0)) peer.close();
  }

  get told(): string {
    return [...this.#rcodes].map(([rcode, count]) => `${rcode} ${count}`).join(', ');
  }

  async round(over: 'udp' | 'tcp', messages: readonly Buffer[], random: Random): Promise<Fault | null> {
    const parts = shares(messages, over === 'udp' ? SOURCES.length : CONNECTIONS);
    const faults = await Promise.all(
      parts.map((part, i) => {
        if (over === 'udp') return this.#peers[i]!.round(part, PATIENCE);
        const { host, from } = SOURCES[i % 3]!;
        const short = part.some(({ length }) => length < 12);
        // What has no ID ends the connection, and answers that are under way are lost with it.
        const manner: Manner = short
          ? 'rough'
          : random.pick(['whole', 'whole', 'halfClosed', 'rough'] as const);
        return tcpRound(this.#target.server.at(host), from, part, manner, random, this.#check, PATIENCE);
      }),
    );
    return faults.find((fault) => fault !== null) ?? null;
  }

  readonly #check: ReplyCheck = ({ octets }, reply, over) => {
    const fault = replyFault(octets, reply, over);
    const code = reply.length < 4 ? 'short' : String(reply[3]! & 15);
    this.#rcodes.set(`RCODE ${code}`, (this.#rcodes.get(`RCODE ${code}`) ?? 0) + 1);
    return fault;
  };
}

function shares<T>(list: readonly T[], count: number): T[][] {
  const size = Math.ceil(list.length / count);
  return Array.from({ length: count }, (_, i) => list.slice(i * size, (i + 1) * size)).filter(
    ({ length }) => length > 0,
  );
}

/** What is wrong with a reply to `query`, which is answerable, or null. */
export function replyFault(query: Buffer, octets: Buffer, over: 'udp' | 'tcp'): string | null {
  let reply: ReturnType<typeof readMessage>;
  try {
    reply = readMessage(octets);
  } catch (error) {
    return `a reply that does not parse: ${String(error)}`;
  }
  const read = readPlainQuery(query);
  const end = questionEnd(query);
  if ((reply.flags & 0x8000) === 0) return 'a reply with QR=0';
  if (reply.opcode !== ((query[2]! >>> 3) & 15)) return `opcode ${reply.opcode}`;
  // What these flags say is defined for QUERY alone.
  const echoed = reply.opcode === 0 ? (query[2]! << 8) | query[3]! : 0;
  if (((reply.flags ^ echoed) & 0x0110) !== 0) return 'RD or CD is not what was sent';
  if ((reply.flags & 0x0080) !== (reply.opcode === 0 ? 0x0080 : 0)) return 'RA';
  if ((reply.flags & 0x0040) !== 0) return 'the reserved bit is set';
  if ((reply.question === null) !== (end === 12)) return 'the question is not repeated, or made up';
  if (!octets.subarray(12, end).equals(query.subarray(12, end))) return 'another question';
  const wanted = wantedRcodes(query, read);
  if (!wanted.includes(reply.rcode)) return `${reply.rcode}, not ${wanted.join(' or ')}`;
  if (reply.opt !== null && read !== null && !read.edns) return 'OPT, which was not asked for';
  if (reply.opt === null && read?.edns === true) return 'no OPT';
  if (over === 'tcp') return null;
  const most = read?.edns === true ? Math.min(1232, read.udpSize) : 512;
  if (octets.length > most) return `${octets.length} octets of ${most}`;
  // Negative and our own: an answer to a name that is not approved, or without data.
  const denied = (reply.flags & 0x0400) !== 0 && reply.answer.length === 0;
  return denied && octets.length > 3 * query.length ? `${octets.length} octets for ${query.length}` : null;
}

/** What the message itself decides comes before any policy. */
function wantedRcodes(query: Buffer, read: ReturnType<typeof readPlainQuery>): string[] {
  const opcode = (query[2]! >>> 3) & 15;
  if (opcode === 4 || opcode === 5) return ['REFUSED'];
  if (opcode !== 0) return ['NOTIMP'];
  if (read === null) return ['FORMERR'];
  if (read.version > 0) return ['RCODE16'];
  if (query.readUInt16BE(4) === 0) return ['NOERROR'];
  if (read.class !== 1 || read.type === 251 || read.type === 252) return ['REFUSED'];
  return ['NOERROR', 'NXDOMAIN', 'SERVFAIL'];
}

/** Finds the message that alone shows a fault on a fresh server, and makes it small. */
async function report(
  what: string,
  over: Case['over'],
  suspects: readonly Buffer[],
  where: string,
): Promise<string> {
  for (const octets of suspects) {
    if ((await replayServer({ octets, over, ask: null })) === null) continue;
    const small = await minimise(
      octets,
      async (fewer) => (await replayServer({ octets: fewer, over, ask: null })) !== null,
      60,
    );
    const each = { octets: small, over, ask: null };
    const comment = `${what}\n${where}`;
    return `server over ${over}: ${what}\n${caseText('server', each, comment)}this case again: npm run fuzz -- --replay ${keepCase('server', each, comment)}`;
  }
  return `server over ${over}: ${what}\n${where}: no message shows it alone: ${suspects.map((octets) => octets.toString('hex')).join('\n')}`;
}

/** Sends one message to a fresh server, twice over each source, and asks a known good question. */
export async function replayServer({ octets, over }: Case): Promise<string | null> {
  const target = await Target.start(answering);
  const run = new ServerRun(target);
  try {
    await run.open();
    const messages = Array.from({ length: 2 * SOURCES.length }, () => octets);
    const fault = await run.round(over, messages, randomOf(0, 0));
    return fault?.what ?? (await target.fault(over)) ?? (await target.stop());
  } finally {
    run.close();
    await target.close();
  }
}
