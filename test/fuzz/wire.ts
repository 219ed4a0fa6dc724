/**
 * The readers alone, in this process: names, queries, messages, RDATA, streams, cleaning, and what is written from them.
 * Each says the same as a second, plain reading; none throws or lingers.
 */

import type { Answer, Form } from '../../src/resolve/answer/answer.ts';
import { clean } from '../../src/resolve/answer/clean.ts';
import { Landing } from '../../src/resolve/answer/landing.ts';
import { redirectedForm } from '../../src/resolve/local/redirect.ts';
import { matchReply } from '../../src/socket/reply-match.ts';
import { readSaid } from '../../src/upstream/said.ts';
import { WireError } from '../../src/wire/error.ts';
import { FrameReader } from '../../src/wire/framing.ts';
import { RCODE } from '../../src/wire/iana.ts';
import { type Message, readMessage } from '../../src/wire/message.ts';
import {
  labelOffsets,
  lowerName,
  nameFromText,
  nameToText,
  readName,
  sameName,
  skipName,
} from '../../src/wire/name.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { everyAddress, expandRdata, rdataName, rrsigSigner, targetOf } from '../../src/wire/rdata.ts';
import { NO_EDE, ReplyWriter, UDP_PAYLOAD } from '../../src/wire/reply.ts';
import { worked } from '../clock.ts';
import { message } from '../wire/build.ts';
import { caseText, keepCase, minimise, type RunOptions, type RunResult, randomOf } from './case.ts';
import { type Corpus, corpus } from './corpus.ts';
import { Memory } from './memory.ts';
import { mutate } from './mutate.ts';
import {
  isPlainRdata,
  type PlainMessage,
  questionEnd,
  readPlainMessage,
  readPlainQuery,
} from './plain-reader.ts';

/** Milliseconds that one case may take, each of a few times that it is tried. */
const LINGERS = 50;

export async function fuzzWire({ cases, seed, progress }: RunOptions): Promise<RunResult> {
  const sources = corpus();
  const memory = new Memory(process.pid, cases);
  const reached = new Map<string, number>();
  for (let index = 0; index < cases; index++) {
    const octets = wireCase(seed, index, sources);
    const fault = faultOf(octets, seed ^ index, reached);
    if (fault !== null)
      return { cases: index + 1, failure: await report(octets, seed, index, fault), told: '' };
    memory.look(index);
    if (index % 10_000 === 0) {
      progress?.(index);
      // Timers and signals have their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const grown = memory.fault;
  const told = [...reached].sort().map(([what, count]) => `${what} ${count}`);
  return { cases, failure: grown, told: `${told.join(', ')}; ${memory.told}` };
}

export function wireCase(seed: number, index: number, { queries, replies, all }: Corpus): Buffer {
  const random = randomOf(seed, index);
  return mutate(random, random.pick(random.once(2) ? queries : replies), all);
}

async function report(octets: Buffer, seed: number, index: number, fault: string): Promise<string> {
  const small = await minimise(octets, (fewer) => faultOf(fewer, seed ^ index, new Map()) !== null, 5000);
  const what = faultOf(small, seed ^ index, new Map()) ?? fault;
  const each = { octets: small, over: 'udp', ask: null } as const;
  const comment = `${what}\nseed ${seed}, case ${index}, cut to ${small.length} of ${octets.length} octets`;
  return `wire: ${what}\n${caseText('wire', each, comment)}this case again: npm run fuzz -- --replay ${keepCase('wire', each, comment)}`;
}

/** What is wrong with how these octets are read, or null. */
export function faultOf(octets: Buffer, salt: number, reached: Map<string, number>): string | null {
  try {
    const started = worked();
    const fault = check(octets, salt, reached);
    if (fault !== null || worked() - started < LINGERS) return fault;
    // Another process may have had the processor, or the garbage collector.
    for (let again = 0; again < 3; again++) {
      const from = worked();
      check(octets, salt, reached);
      if (worked() - from < LINGERS) return null;
    }
    return `takes ${Math.round(worked() - started)} ms`;
  } catch (error) {
    return `throws ${error instanceof Error ? error.stack : String(error)}`;
  }
}

function check(octets: Buffer, salt: number, reached: Map<string, number>): string | null {
  return (
    queryFault(octets, reached) ??
    messageFault(octets, reached) ??
    nameFault(octets, salt) ??
    streamFault(octets, salt) ??
    exchangeFault(octets, salt)
  );
}

function count(reached: Map<string, number>, what: string): void {
  reached.set(what, (reached.get(what) ?? 0) + 1);
}

const query = new Query();
const writer = new ReplyWriter();
const out = Buffer.alloc(0x1_0000);

/** `readQuery`, which is given no less than a header. */
function queryFault(octets: Buffer, reached: Map<string, number>): string | null {
  if (octets.length < 12) return null;
  const fault = readQuery(octets, octets.length, query);
  count(reached, `query ${fault?.code ?? 'read'}`);
  const plain = readPlainQuery(octets);
  if ((fault === null) !== (plain !== null))
    return `readQuery: ${fault?.code ?? 'good'}, plainly ${plain === null ? 'malformed' : 'good'}`;
  if (query.questionEnd !== questionEnd(octets))
    return `readQuery: the question ends at ${query.questionEnd}`;
  if (fault !== null && (fault.offset < 0 || fault.offset > octets.length))
    return `readQuery: stops at ${fault.offset}`;
  if (plain !== null) {
    const name = query.name.subarray(0, query.nameLength);
    const read = [
      labelsOf(name),
      query.type,
      query.class,
      query.edns,
      query.ednsVersion,
      query.dnssecOk,
    ].join();
    const wanted = [plain.name, plain.type, plain.class, plain.edns, plain.version, plain.dnssecOk].join();
    if (read !== wanted) return `readQuery: ${read}, plainly ${wanted}`;
    if (query.udpSize !== plain.udpSize)
      return `readQuery: UDP size ${query.udpSize}, plainly ${plain.udpSize}`;
    const offsets = new Uint8Array(128);
    if (labelOffsets(name, offsets) !== query.labelCount) return 'readQuery: another number of labels';
    if (query.labels.some((at, i) => i < query.labelCount && at !== offsets[i]))
      return 'readQuery: labels begin elsewhere';
  }
  return replyFault(octets);
}

/** A denial of what was read: sound, within its limit and within three times the question. */
function replyFault(octets: Buffer): string | null {
  const text = Buffer.from(
    'identity: name not approved; ask an owner with a name that is long enough to be cut',
  );
  const limit = Math.min(query.udpSize, UDP_PAYLOAD);
  writer.begin(query, out, 0x0400, limit);
  writer.negativeSoa(query.labelCount > 1 ? query.labels[1]! : query.nameLength - 1);
  const size = writer.finish(RCODE.NXDOMAIN, 15, text, 3 * octets.length);
  const reply = out.subarray(0, size);
  if (size > limit) return `ReplyWriter: ${size} octets of ${limit}`;
  if (size > 3 * octets.length && query.questionEnd > 12)
    return `ReplyWriter: ${size} octets for ${octets.length}`;
  if (query.questionEnd === 12) return null;
  return readPlainMessage(Buffer.from(reply)) === null
    ? `ReplyWriter: an unsound reply: ${reply.toString('hex')}`
    : null;
}

const room = new Uint8Array(0x1_0000 + 512);

function messageFault(octets: Buffer, reached: Map<string, number>): string | null {
  const read = readMessage(octets);
  const plain = readPlainMessage(octets);
  count(reached, `message ${read instanceof WireError ? read.code : 'read'}`);
  if (read instanceof WireError) {
    if (plain !== null) return `readMessage: ${read.code} at ${read.offset}, plainly good`;
    if (read.offset < 0 || read.offset > octets.length) return `readMessage: stops at ${read.offset}`;
    // Cleaning reads for itself.
    return clean(octets, ROOT, 1, false) === null ? null : 'clean: takes what cannot be read';
  }
  if (plain === null) return 'readMessage: good, plainly malformed';
  return sameMessage(read, plain) ?? rdataFault(read, plain) ?? cleanFault(octets, read, reached);
}

const ROOT = new Uint8Array(1);

function labelsOf(name: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!)
    labels.push(Buffer.from(name.subarray(at + 1, at + 1 + name[at]!)).toString('latin1'));
  return JSON.stringify(labels);
}

function sameMessage(read: Message, plain: PlainMessage): string | null {
  if (labelsOf(read.question.name) !== plain.question.name) return 'readMessage: another question';
  if (read.question.type !== plain.question.type || read.question.class !== plain.question.class)
    return 'readMessage: another type or class';
  if (read.records.length !== plain.records.length) return 'readMessage: another number of records';
  for (const [i, record] of read.records.entries()) {
    const other = plain.records[i]!;
    if (labelsOf(record.owner) !== other.owner) return `readMessage: record ${i} has another owner`;
    for (const key of ['section', 'type', 'class', 'start', 'end'] as const)
      if (record[key] !== other[key])
        return `readMessage: record ${i}: ${key} ${record[key]}, plainly ${other[key]}`;
  }
  return null;
}

/** RDATA of every record, read in each way that there is. */
function rdataFault({ octets, records }: Message, plain: PlainMessage): string | null {
  for (const [i, { type, start, end, owner }] of records.entries()) {
    room.fill(0xa5, end - start + 511, end - start + 513);
    const size = expandRdata(octets, type, start, end, room, 0);
    if (size > end - start + 510) return `expandRdata: record ${i} grows to ${size}`;
    if (room[end - start + 511] !== 0xa5) return `expandRdata: record ${i} writes behind its room`;
    const sound = isPlainRdata(octets as Buffer, plain.records[i]!);
    if (sound !== null && sound !== size >= 0)
      return `expandRdata: record ${i} of type ${type} is ${sound ? 'sound' : 'not'}, plainly`;
    rdataName(octets, start, end);
    if (size < 0) continue;
    const rdata = room.slice(0, size);
    // What is expanded is whole in itself.
    if (expandRdata(rdata, type, 0, size, room, 0) !== size)
      return `expandRdata: record ${i} is not whole afterwards`;
    everyAddress(type, rdata, (at, width) => {
      if (at < 0 || at + width > size) throw new Error(`everyAddress: ${width} octets at ${at} of ${size}`);
      return true;
    });
    for (const name of [targetOf(type, rdata), type === 46 ? rrsigSigner(rdata) : null]) {
      if (name !== null && !isName(name)) return `record ${i}: a target that is no name`;
    }
    const text = nameFromText(nameToText(owner));
    if (text instanceof WireError || !sameName(text, owner))
      return `nameFromText: ${nameToText(owner)} is another name`;
  }
  return null;
}

function isName(name: Uint8Array): boolean {
  return skipName(name, name.length, 0) === name.length && name.length <= 255;
}

/** What is kept of a reply is sound, of the chain alone, and stays the same when it is cleaned again. */
function cleanFault(octets: Buffer, read: Message, reached: Map<string, number>): string | null {
  const { name, type } = read.question;
  const answer = clean(octets, name, type, true);
  count(reached, answer === null ? 'unusable' : 'cleaned');
  if (answer === null) return null;
  const landed = landedFault(answer);
  if (landed !== null) return landed;
  for (const form of [answer.plain, answer.full]) {
    const whole = wholeMessage(read, answer, form);
    const fault = formFault(whole, read, answer, form);
    if (fault !== null) return `clean: ${fault}: ${whole.toString('hex')}`;
  }
  const again = clean(wholeMessage(read, answer, answer.full), name, type, true);
  if (again === null) return 'clean: its own answer is unusable';
  if (!again.full.octets.equals(answer.full.octets) || !again.plain.octets.equals(answer.plain.octets))
    return `clean: twice is another answer: ${answer.full.octets.toString('hex')}, then ${again.full.octets.toString('hex')}`;
  return redirectFault(read, answer) ?? writtenFault(read, answer);
}

/** As an entry it says the same. */
function landedFault(answer: Answer): string | null {
  landing.takeAnswer(answer, 1, 2, false);
  const { octets } = landing.slab;
  for (const [dnssec, form] of [answer.plain, answer.full].entries()) {
    landing.choose(dnssec === 1);
    const { start, end, ttls, ttlCount } = landing;
    if (!form.octets.equals(octets.subarray(start, end))) return 'Landing: other octets';
    if (form.ttls.join() !== landing.slab.halves.slice(ttls, ttls + ttlCount).join())
      return 'Landing: other TTLs';
    if (landing.answers !== form.answers || landing.authority !== form.authority)
      return 'Landing: other counts';
  }
  const same = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
    a.length === b.length && a.every((name, i) => Buffer.from(name).equals(b[i]!));
  if (!same(landing.chain(), answer.chain)) return 'Landing: another chain';
  if (!same(landing.targets(), answer.targets)) return 'Landing: other targets';
  const restricted = answer.restricted.map((address) => Buffer.from([address.length, ...address]));
  if (!Buffer.concat(restricted).equals(octets.subarray(landing.restrictedStart, landing.restrictedEnd)))
    return 'Landing: other addresses';
  return landing.restrictedEnd <= landing.size && landing.size % 8 === 0 ? null : 'Landing: no size';
}

const landing = new Landing();

/** The answer as the end of a redirect: behind another question, and sound. */
function redirectFault({ question }: Message, answer: Answer): string | null {
  const asker = Buffer.from('\x04from\x07example\0', 'latin1');
  const form = redirectedForm(asker, [question.name], question.type, answer.chain, answer.plain);
  if (form === null) return null;
  const whole = wholeMessage({ question: { ...question, name: asker } }, answer, form);
  const links = { ...answer, chain: [question.name, ...answer.chain] };
  const fault = formFault(whole, { question: { ...question, name: asker } }, links, form);
  return fault === null ? null : `redirectedForm: ${fault}: ${whole.toString('hex')}`;
}

function wholeMessage({ question }: Pick<Message, 'question'>, { rcode }: Answer, form: Form): Buffer {
  const type = Buffer.from([question.type >>> 8, question.type & 255, 0, 1]);
  const whole = message({
    flags: 0x8180 | rcode,
    questions: [Buffer.concat([question.name, type])],
    trailing: form.octets,
  });
  whole.writeUInt16BE(form.answers, 6);
  whole.writeUInt16BE(form.authority, 8);
  return whole;
}

function formFault(
  whole: Buffer,
  { question }: Pick<Message, 'question'>,
  { chain }: Answer,
  form: Form,
): string | null {
  const plain = readPlainMessage(whole);
  if (plain === null) return 'an unsound message';
  if (form.ttls.length !== plain.records.length) return 'another number of TTLs';
  const base = 12 + question.name.length + 4;
  const owners = [question.name, ...chain].map(labelsOf);
  for (const [i, { section, owner, start, type }] of plain.records.entries()) {
    if (form.ttls[i]! + base !== start - 6) return `the TTL of record ${i} stands elsewhere`;
    if (section === 1 && type !== 39 && !owners.includes(owner))
      return `a record of ${owner}, which is not of the chain`;
    if (section === 2 && ![6, 46, 47, 50].includes(type)) return `type ${type} in authority`;
    if (section === 3) return 'an additional record';
  }
  return null;
}

const asked = new Query();

/** The answer as a reply: within each limit, and truncated to nothing where it does not fit. */
function writtenFault({ question }: Message, answer: Answer): string | null {
  const type = Buffer.from([question.type >>> 8, question.type & 255, 0, 1]);
  const octets = message({ questions: [Buffer.concat([question.name, type])] });
  if (readQuery(octets, octets.length, asked) !== null)
    return 'readQuery: a name that was read cannot be asked';
  for (const limit of [512, UDP_PAYLOAD, 0xffff]) {
    writer.begin(asked, out, 0, limit);
    const { octets: sections, answers, authority } = answer.full;
    writer.sections(sections, 0, sections.length, answers, authority);
    const size = writer.finish(answer.rcode, NO_EDE, null, limit);
    const reply = Buffer.from(out.subarray(0, size));
    const plain = readPlainMessage(reply);
    if (plain === null || size > limit)
      return `ReplyWriter: ${size} octets of ${limit}, ${plain === null ? 'unsound' : 'sound'}`;
    const truncated = (reply[2]! & 2) !== 0;
    if (truncated !== octets.length + answer.full.octets.length > limit)
      return `ReplyWriter: TC ${truncated} at ${limit}`;
    if (truncated && plain.records.length > 0) return 'ReplyWriter: a partial answer';
  }
  return null;
}

const NAME_ROOM = new Uint8Array(255 + 8);

/** Names at any offset: within 255 octets, and read as they are passed over. */
function nameFault(octets: Buffer, salt: number): string | null {
  for (let i = 0; i < 4; i++) {
    const at = octets.length === 0 ? 0 : Math.abs(Math.imul(salt + i, 0x9e3779b1)) % (octets.length + 1);
    NAME_ROOM.fill(0xa5, 255);
    const length = readName(octets, octets.length, at, NAME_ROOM, 0);
    if (length > 255 || NAME_ROOM[255] !== 0xa5) return `readName: writes ${length} octets at ${at}`;
    const end = skipName(octets, octets.length, at);
    if (end > octets.length) return `skipName: ends at ${end}`;
    if (length < 0) continue;
    if (end < 0) return `skipName: cannot pass the name at ${at}`;
    const name = NAME_ROOM.slice(0, length);
    if (!isName(name) || !sameName(lowerName(name), name)) return `readName: no name at ${at}`;
  }
  return null;
}

/** The octets as a stream, in chunks of any size: the messages that their lengths announce. */
function streamFault(octets: Buffer, salt: number): string | null {
  const wanted: string[] = [];
  let at = 0;
  while (at + 2 <= octets.length) {
    const size = octets.readUInt16BE(at);
    if (size === 0 || at + 2 + size > octets.length) break;
    wanted.push(octets.toString('latin1', at + 2, at + 2 + size));
    at += 2 + size;
  }
  const got: string[] = [];
  const reader = new FrameReader();
  const step = 1 + (Math.abs(salt) % 97);
  for (let from = 0; from < octets.length; from += step) {
    const good = reader.push(octets.subarray(from, from + step), (frame) =>
      got.push(frame.toString('latin1')),
    );
    if (!good) break;
  }
  return got.join('|') === wanted.join('|')
    ? null
    : `FrameReader: ${got.length} messages, plainly ${wanted.length}`;
}

/** As a reply to a question that it may or may not be about. */
function exchangeFault(octets: Buffer, salt: number): string | null {
  const end = questionEnd(octets);
  const sent = Buffer.from(octets.subarray(0, end));
  if (octets.length >= 12) {
    const match = matchReply(octets, sent, end);
    const isResponse = (octets[2]! & 0xf8) === 0x80;
    const isReply = isResponse && octets.readUInt16BE(4) === 1;
    if (end > 12 && (match === 'same') !== isReply) return `matchReply: ${match} of its own question`;
    const isHint = isResponse && octets.readBigUInt64BE(4) >> 16n === 0n;
    const code = octets[3]! & 0xf;
    const hints = isHint && ((octets[2]! & 2) !== 0 || code === 1 || code === 4);
    if ((match === 'bare') !== hints) return `matchReply: ${match} of a hint`;
    if (salt % 2 === 0) sent[0]! ^= 1;
    else sent[1]! ^= 1;
    if (matchReply(octets, sent, end) !== 'none') return 'matchReply: takes another ID';
    if (readSaid(octets, end).code < -1) return 'readSaid: no code';
  }
  return null;
}

/** Runs one message through all of it. */
export function replayWire(octets: Buffer): string | null {
  return faultOf(octets, 0, new Map());
}
