import { addressToText } from '../policy/address.ts';
import { GROUND, GROUND_TEXT, VERDICT } from '../policy/decide/decision.ts';
import { RCODE, typeToText } from '../wire/iana.ts';
import { nameToText } from '../wire/name.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import type { Draft } from './draft.ts';
import type { Kind } from './event.ts';
import type { RingWords } from './ring-words.ts';
import {
  ADDRESS_SIZE,
  AT,
  EXTRA_SIZE,
  FLAG_BIT,
  MAX_ADDRESSES,
  NO_RCODE,
  RECORD,
  TRANSPORTS,
} from './slot.ts';

/** A question that was decided, as a slot says it; good until the next slot is read. A draft is kept by whoever asks for it. */
export interface QuestionRecord {
  readonly kind: Kind;
  readonly identity: string;
  /** The source address may be forged. */
  readonly proven: boolean;
  /** An operator said beforehand that this is to be expected: it is no news, and no finding comes of it. */
  readonly expected: boolean;
  /** Milliseconds since 1970. */
  readonly at: EpochMilliseconds;
  /** Wire name in lower case. */
  readonly name: Uint8Array;
  /** What makes it the same question as another: name, type, lease and what was decided. */
  readonly key: string;
  /** The same in numbers, beside name and lease: what was decided, and its RCODE, type and whether it was expected. */
  readonly what: number;
  readonly shape: number;
  /** Of its client, for whoever asks whether there were several. */
  readonly client: string;
  readonly type: number;
  /** RCODE of the reply; -1 where there was none. */
  readonly rcode: number;
  readonly ground: number;
  /** The lease's id; empty without one. */
  readonly lease: string;
  /** A quarantine has the client: its lease has ended. */
  readonly isInQuarantine: boolean;
  /** Names of the client's certificate, in JSON; empty without one. */
  readonly certificate: string;
  /** The client's address as text; of IPv6 the /64, all of which a client has. */
  readonly network: string;
  /** Two words of that: of IPv6 the /64, of IPv4 zero and the address. */
  readonly networkHigh: number;
  readonly networkLow: number;
  /** The approved name that a denied one can be taken for, as text; empty for none. */
  readonly resembles: string;
  /** Detectors are not to hear it: another one stands for it. */
  readonly isUnheard: boolean;
  /** Questions of the same client under the same two labels that it stands for before detectors besides. */
  readonly more: number;
  /** The event of this question alone. */
  readonly draft: Draft;
}

/** A view of a slot: what costs something is made when it is asked for, since most questions are one more of many. */
export class SlotQuestion implements QuestionRecord {
  readonly kind: Kind;
  readonly identity: string;
  readonly proven: boolean;
  readonly expected: boolean;
  readonly at: EpochMilliseconds;
  readonly name: Uint8Array;
  readonly #slot: Buffer;
  readonly #words: RingWords;
  #draft: Draft | null = null;

  constructor(slot: Buffer, words: RingWords, kind: Kind) {
    this.kind = kind;
    this.identity = words.text(slot.readUInt32LE(AT.IDENTITY)) || 'unknown';
    this.proven = (slot[AT.FLAGS]! & FLAG_BIT.PROVEN) !== 0;
    this.expected = (slot[AT.FLAGS]! & FLAG_BIT.EXPECTED) !== 0;
    this.at = timeOf(slot);
    this.name = slot.subarray(AT.NAME, AT.NAME + slot[AT.NAME_LENGTH]!);
    // A loss of power may leave anything in a slot.
    if (!isWireName(this.name)) throw new Error('a slot without a name');
    this.#slot = slot;
    this.#words = words;
  }

  get key(): string {
    const slot = this.#slot;
    const lease = this.#words.text(slot.readUInt32LE(AT.LEASE));
    // Record, kind, verdict and ground are one word.
    const { what } = this;
    const name = slot.toString('latin1', AT.NAME, AT.NAME + slot[AT.NAME_LENGTH]!);
    return `${what}${this.expected ? ' expected' : ''} ${slot[AT.RCODE]} ${slot.readUInt16LE(AT.TYPE)} ${lease} ${name}`;
  }

  get what(): number {
    return this.#slot.readUInt32LE(AT.RECORD);
  }

  get shape(): number {
    const slot = this.#slot;
    return slot.readUInt16LE(AT.TYPE) | (slot[AT.RCODE]! << 16) | (this.expected ? 1 << 24 : 0);
  }

  get client(): string {
    const slot = this.#slot;
    if ((slot[AT.FLAGS]! & FLAG_BIT.SIX) === 0) return `${slot.readUInt32LE(AT.CLIENT)}`;
    return slot.toString('latin1', AT.CLIENT, AT.CLIENT + 16);
  }

  get type(): number {
    return this.#slot.readUInt16LE(AT.TYPE);
  }

  get rcode(): number {
    const rcode = this.#slot[AT.RCODE]!;
    return rcode === NO_RCODE ? -1 : rcode;
  }

  get ground(): number {
    return this.#slot[AT.GROUND]!;
  }

  get lease(): string {
    return this.#words.text(this.#slot.readUInt32LE(AT.LEASE));
  }

  get isInQuarantine(): boolean {
    return (this.#slot[AT.FLAGS]! & FLAG_BIT.QUARANTINE) !== 0;
  }

  get certificate(): string {
    return this.#words.text(this.#slot.readUInt32LE(AT.CERTIFICATE));
  }

  get resembles(): string {
    const slot = this.#slot;
    if (slot[AT.GROUND] !== GROUND.NOTHING || slot[AT.RECORD] !== RECORD.DECISION) return '';
    return readCulprit(slot) ?? '';
  }

  get isUnheard(): boolean {
    return this.#slot[AT.RECORD] === RECORD.DECISION && this.#slot[AT.UNHEARD] === 1;
  }

  get more(): number {
    return this.#slot[AT.RECORD] === RECORD.DECISION ? this.#slot.readUInt16LE(AT.MORE) : 0;
  }

  get network(): string {
    const slot = this.#slot;
    const address = clientOf(slot);
    if (!address.includes(':')) return address;
    const half = (at: number): string => slot.readUInt16LE(AT.CLIENT + at).toString(16);
    return `${half(2)}:${half(0)}:${half(6)}:${half(4)}::/64`;
  }

  get networkHigh(): number {
    return this.#isFour ? 0 : this.#slot.readInt32LE(AT.CLIENT);
  }

  get networkLow(): number {
    const slot = this.#slot;
    if ((slot[AT.FLAGS]! & FLAG_BIT.SIX) === 0) return slot.readInt32LE(AT.CLIENT);
    return slot.readInt32LE(AT.CLIENT + (this.#isFour ? 12 : 4));
  }

  /** IPv4, or that in IPv6 (RFC 4291 §2.5.5.2). */
  get #isFour(): boolean {
    const slot = this.#slot;
    if ((slot[AT.FLAGS]! & FLAG_BIT.SIX) === 0) return true;
    return (
      slot.readInt32LE(AT.CLIENT) === 0 &&
      slot.readInt32LE(AT.CLIENT + 4) === 0 &&
      slot.readInt32LE(AT.CLIENT + 8) === 0xffff
    );
  }

  get draft(): Draft {
    if (this.#draft === null) {
      const draft = draftOf(this.#slot, this.#words, this.kind, this.identity, this.name, this.proven);
      this.#draft = this.expected ? { ...draft, expected: true } : draft;
    }
    return this.#draft;
  }
}

/** Whole milliseconds since 1970; the query thread's clock has fractions. */
function timeOf(slot: Buffer): EpochMilliseconds {
  return Math.floor(slot.readDoubleLE(AT.TIME));
}

const VERDICTS = Object.fromEntries(Object.entries(VERDICT).map(([text, n]) => [n, text.toLowerCase()]));
const RCODES = Object.fromEntries(Object.entries(RCODE).map(([text, n]) => [n, text]));

function draftOf(
  slot: Buffer,
  words: RingWords,
  kind: Kind,
  identity: string,
  name: Uint8Array,
  proven: boolean,
): Draft {
  const word = (at: number): string => words.text(slot.readUInt32LE(at));
  const rcode = slot[AT.RCODE]!;
  const file = word(AT.FILE);
  const isContained = kind === 'contain' || kind === 'would_contain';
  return {
    kind,
    at: timeOf(slot),
    identity,
    ...present('owner', word(AT.OWNER)),
    ...present('stage', word(AT.STAGE)),
    ...present('lease', word(AT.LEASE)),
    ...jobOf(word(AT.JOB)),
    client: clientOf(slot),
    client_port: slot.readUInt16LE(AT.PORT),
    ...present('transport', TRANSPORTS[slot[AT.TRANSPORT]!] ?? ''),
    proven,
    ...certificateOf(word(AT.CERTIFICATE)),
    ...nameFields(name),
    type: typeToText(slot.readUInt16LE(AT.TYPE)),
    verdict: isContained ? 'contain' : (VERDICTS[slot[AT.VERDICT]!] ?? 'deny'),
    ...present('ground', GROUND_TEXT[slot[AT.GROUND]!] ?? ''),
    ...(slot[AT.RECORD] === RECORD.DECISION || slot[AT.RECORD] === RECORD.ASKED
      ? present('approved_stage', word(AT.OTHER))
      : {}),
    ...(rcode === NO_RCODE ? {} : { rcode: RCODES[rcode] ?? `RCODE${rcode}` }),
    ...(file === '' ? {} : { rule: `${file}:${slot.readUInt32LE(AT.LINE)}` }),
    ...present('policy', word(AT.POLICY)),
    ...addressesOf(slot),
  };
}

/** A wire name in the forms that an event has. */
export function nameFields(name: Uint8Array): Pick<Draft, 'name' | 'wire_name'> {
  const text = nameToText(name);
  return text.includes('\\') ? { name: text, wire_name: Buffer.from(name).toString('hex') } : { name: text };
}

function isWireName(name: Uint8Array): boolean {
  let at = 0;
  while (at < name.length && name[at] !== 0) at += 1 + name[at]!;
  return at === name.length - 1;
}

function present<K extends string>(key: K, text: string): { [P in K]?: string } {
  return (text === '' ? {} : { [key]: text }) as { [P in K]?: string };
}

function jobOf(text: string): Pick<Draft, 'job'> {
  if (text === '') return {};
  try {
    return { job: JSON.parse(text) as Record<string, string> };
  } catch {
    return {};
  }
}

export function certificateOf(text: string): Pick<Draft, 'certificate'> {
  if (text === '') return {};
  try {
    const names = JSON.parse(text) as string[];
    const fingerprint = names.find((name) => name.startsWith('sha256:'));
    const san = names.find((name) => !name.startsWith('sha256:'));
    return {
      certificate: {
        ...(san === undefined ? {} : { san }),
        ...(fingerprint === undefined ? {} : { fingerprint }),
      },
    };
  } catch {
    return {};
  }
}

function clientOf(slot: Buffer): string {
  const octets = Buffer.alloc(16);
  for (let i = 0; i < 4; i++) octets.writeUInt32BE(slot.readUInt32LE(AT.CLIENT + 4 * i), 4 * i);
  const isMapped =
    octets.readUInt32BE(0) === 0 && octets.readUInt32BE(4) === 0 && octets.readUInt32BE(8) === 0xffff;
  if ((slot[AT.FLAGS]! & FLAG_BIT.SIX) === 0) return addressToText(octets.subarray(0, 4));
  return addressToText(isMapped ? octets.subarray(12) : octets);
}

function addressesOf(slot: Buffer): Pick<Draft, 'addresses'> {
  if ((slot[AT.FLAGS]! & FLAG_BIT.ADDRESSES) === 0) return {};
  const addresses: string[] = [];
  for (let i = 0; i < Math.min(MAX_ADDRESSES, slot[AT.EXTRA_COUNT]!); i++) {
    const at = AT.EXTRA + i * ADDRESS_SIZE;
    addresses.push(addressToText(slot.subarray(at + 1, at + 1 + (slot[at] === 4 ? 4 : 16))));
  }
  return { addresses };
}

/** What a slot is about beside the question: an address or a name, as text; null for nothing. */
export function readCulprit(slot: Buffer): string | null {
  const flags = slot[AT.FLAGS]!;
  const octets = slot.subarray(AT.EXTRA, AT.EXTRA + Math.min(EXTRA_SIZE, slot[AT.EXTRA_COUNT]!));
  if ((flags & FLAG_BIT.CULPRIT_ADDRESS) !== 0) return addressToText(octets);
  if ((flags & FLAG_BIT.CULPRIT_NAME) === 0 || !isWireName(octets)) return null;
  return `${(flags & FLAG_BIT.CUT) === 0 ? '' : '…'}${nameToText(octets)}`;
}
