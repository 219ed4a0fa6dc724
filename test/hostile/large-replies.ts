import { labelled, message, pointer, record, u16, u32, wire } from '../wire/build.ts';

/** Replies of an upstream that are as large as a message can be, each made to cost as much as possible to read. */

/** Octets: what is kept of it and OPT fit into a message again. */
const MOST = 65_400;
/** Pointers lead no further (RFC 1035 §4.1.4). */
const FAR = 0x3fff;
const NOTHING = Buffer.alloc(0);
/** The question's name, and what is behind its first label of one octet. */
const NAME = pointer(12);
const ZONE = pointer(14);
/** Labels of a long name. */
const LONG = Array.from({ length: 3 }, () => Buffer.alloc(62, 'y'));

/** A message that grows record by record until it is full. */
class Growing {
  /** Octets so far, and so the offset of the next record. */
  at: number;
  readonly #records: readonly [Buffer[], Buffer[]] = [[], []];
  readonly #head: Buffer;

  constructor(head: Buffer) {
    this.#head = head;
    this.at = head.length;
  }

  /** False where there is no room left. */
  add(octets: Buffer, section: 0 | 1 = 0): boolean {
    if (this.at + octets.length > MOST) return false;
    this.#records[section].push(octets);
    this.at += octets.length;
    return true;
  }

  fill(next: () => Buffer, section: 0 | 1 = 0): void {
    while (this.add(next(), section));
  }

  end(): Buffer {
    const whole = Buffer.concat([this.#head, ...this.#records.flat()]);
    this.#records.forEach(({ length }, section) => {
      whole.writeUInt16BE(length, 6 + 2 * section);
    });
    return whole;
  }
}

/** Links of a chain from the question's name, each target 200 octets long; the last has no data. */
function chain(reply: Growing, links: number): void {
  let owner: Buffer = NAME;
  for (let i = 0; i < links; i++) {
    const target = labelled(...LONG, Buffer.from(`${i}`.padStart(10, 'z')));
    reply.add(record({ owner, type: 5, rdata: target }));
    owner = pointer(reply.at - target.length);
  }
}

const SHAPES = {
  /** As many records as fit, about another name. */
  'many records': (reply: Growing) => reply.fill(() => record({ owner: ZONE, type: 65_280, rdata: NOTHING })),
  /** Each owner is one label before the owner of the record before it, as deep as names go. */
  'chained owners': (reply: Growing) => {
    let last = 14;
    for (let depth = 0; ; depth = (depth + 1) % 110) {
      const owner = Buffer.concat([Buffer.from('\u0001x'), pointer(depth === 0 ? 14 : last)]);
      if (reply.at <= FAR) last = reply.at;
      if (!reply.add(record({ owner, type: 65_280, rdata: NOTHING }))) return;
    }
  },
  /** A chain of sixteen links, and addresses of a long name that differs from each of theirs in its last label alone. */
  'a long chain': (reply: Growing) => {
    chain(reply, 16);
    const owner = pointer(reply.at);
    reply.add(record({ owner: labelled(...LONG, Buffer.alloc(10, 'x')) }));
    reply.fill(() => record({ owner, rdata: NOTHING }));
  },
  /** DNAMEs of the question's zone: the first leads on, and all are looked at again for each name after it. */
  'many DNAMEs': (reply: Growing) => {
    reply.add(record({ owner: ZONE, type: 39, rdata: wire('b.example') }));
    reply.fill(() => record({ owner: ZONE, type: 39, rdata: wire('') }));
  },
  /** One address, with as many signatures as fit. */
  'many signatures': (reply: Growing) => {
    const rdata = Buffer.concat([
      u16(1),
      Buffer.from([13, 3]),
      u32(60),
      u32(1),
      u32(1),
      u16(1),
      wire(''),
      u32(7),
    ]);
    reply.add(record());
    reply.fill(() => record({ type: 46, rdata }));
  },
  /** A denial with its proofs: 26 long owners that differ in their last label alone, again and again. */
  'many proofs': (reply: Growing) => {
    const soa = Buffer.concat([wire('a'), wire('b'), u32(1), u32(2), u32(3), u32(4), u32(60)]);
    reply.add(record({ owner: ZONE, type: 6, rdata: soa }), 1);
    const rdata = Buffer.from([0, 0, 1, 0x40]);
    const owners: Buffer[] = [];
    for (let i = 0; i < 26; i++) {
      owners.push(pointer(reply.at));
      const labels = labelled(...LONG, Buffer.from([97 + i])).subarray(0, -1);
      reply.add(record({ owner: Buffer.concat([labels, ZONE]), type: 47, rdata }), 1);
    }
    let turn = 0;
    reply.fill(() => record({ owner: owners[turn++ % owners.length]!, type: 47, rdata }), 1);
  },
  /** As many addresses as fit, none of which may be given. */
  'many addresses': (reply: Growing) => {
    let turn = 0;
    reply.fill(() => record({ rdata: Buffer.from([10, 9, turn >>> 8, turn++ & 255]) }));
  },
} as const satisfies Record<string, (reply: Growing) => void>;

export type Kind = keyof typeof SHAPES;

export const KINDS = Object.keys(SHAPES) as readonly Kind[];

/** The reply to `asked`, octets of a query whose name begins with a label of one octet. */
export function largeReply(kind: Kind, asked: Buffer): Buffer {
  const question = questionOf(asked);
  const key = `${kind} ${question.length}`;
  let made = MADE.get(key);
  if (made === undefined) {
    const reply = new Growing(message({ id: 0, flags: 0x8180, questions: [question] }));
    SHAPES[kind](reply);
    made = reply.end();
    MADE.set(key, made);
  }
  const reply = Buffer.from(made);
  asked.copy(reply, 0, 0, 2);
  question.copy(reply, 12);
  return reply;
}

/** Replies that were made, by their kind and the length of their question: the name itself stands there alone. */
const MADE = new Map<string, Buffer>();

function questionOf(asked: Buffer): Buffer {
  let end = 12;
  while (asked[end] !== 0) end += 1 + asked[end]!;
  return asked.subarray(12, end + 5);
}
