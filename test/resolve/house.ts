import { loadPolicyOnly } from '../../src/config/load.ts';
import { parseRdata } from '../../src/config/records.ts';
import { renewable } from '../../src/policy/renewable.ts';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import type { AnswerStore, Entry } from '../../src/resolve/answer.ts';
import { EXITS } from '../../src/resolve/exit.ts';
import { groupRouter, type InForce } from '../../src/resolve/in-force.ts';
import {
  type Client,
  type Finding,
  type ForwardListener,
  LATER,
  type Outcome,
  type UpstreamQuestion,
} from '../../src/resolve/ports.ts';
import { Renewals } from '../../src/resolve/renewals.ts';
import { Resolver } from '../../src/resolve/resolve.ts';
import type { UpstreamGroup } from '../../src/resolve/settings.ts';
import { WireError } from '../../src/wire/error.ts';
import { FLAG, messageFlags, writeUint16, writeUint32 } from '../../src/wire/header.ts';
import { TYPE, typeFromText, typeToText } from '../../src/wire/iana.ts';
import { readMessage, type WireRecord } from '../../src/wire/message.ts';
import { nameFromText, nameToText } from '../../src/wire/name.ts';
import { expandRdata } from '../../src/wire/rdata.ts';

/** `owner ttl type rdata`, as in a zone file; the owner ends with or without a dot. */
type RecordText = string;

/** What a scripted upstream says. */
export interface Script {
  readonly rcode?: number;
  readonly answer?: readonly RecordText[];
  readonly authority?: readonly RecordText[];
  readonly additional?: readonly RecordText[];
  readonly flags?: number;
  readonly verified?: boolean;
  /** Instead of a reply. */
  readonly failure?: 'silent' | 'network' | 'refused';
}

export interface Asked extends UpstreamQuestion {
  readonly text: string;
  readonly listener: ForwardListener;
}

export interface Reply {
  readonly octets: Buffer;
  readonly rcode: number;
  readonly flags: number;
  /** `owner ttl type rdata` of each section. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly edns: boolean;
  readonly ede: readonly { readonly code: number; readonly text: string }[];
}

export interface QueryOptions {
  readonly from?: string;
  readonly transport?: 'udp' | 'tcp';
  readonly edns?: boolean;
  readonly udpSize?: number;
  readonly do?: boolean;
  readonly cd?: boolean;
  readonly ad?: boolean;
  readonly id?: number;
}

/**
 * The whole story without sockets: a policy as YAML text, a scripted upstream, and a clock that tests turn. Upstream
 * questions wait in `asked` until `settle` answers them, unless `auto` does at once.
 */
export class House {
  /** Monotonic milliseconds, and seconds since 1970. */
  now = 1_000_000;
  epoch = Date.UTC(2026, 10, 20) / 1000;
  readonly asked: Asked[] = [];
  readonly findings: (Omit<Finding, 'name'> & { name: string })[] = [];
  readonly bugs: unknown[] = [];
  readonly exits: string[] = [];
  readonly store = new Map<string, Entry>();
  readonly resolver: Resolver;
  readonly renewals: Renewals;
  identityAllowed = true;
  unknownVerdict: 0 | 1 | 2 = 0;
  snapshot!: Snapshot;
  inForce: InForce;
  readonly #dir: (content: Record<string, string>) => string;
  readonly #settings: Partial<Omit<InForce, 'snapshot'>> & { groups?: readonly UpstreamGroup[] };

  constructor(
    dir: (content: Record<string, string>) => string,
    policy: string,
    settings: Partial<Omit<InForce, 'snapshot'>> & { groups?: readonly UpstreamGroup[] } = {},
  ) {
    this.#dir = dir;
    this.#settings = settings;
    this.inForce = this.#load(policy);
    const store: AnswerStore = { get: (key) => this.store.get(key), set: (key, entry) => this.store.set(key, entry) };
    this.resolver = new Resolver(
      {
        store,
        forwarder: {
          ask: (question, listener) => {
            const text = `${nameToText(question.name)} ${typeToText(question.type)}`;
            this.asked.push({ ...question, text, listener });
          },
        },
        clock: { monotonic: () => this.now, epoch: () => this.epoch },
        limits: { identity: () => this.identityAllowed, unknown: () => this.unknownVerdict },
        observer: {
          exit: (exit) => this.exits.push(EXITS[exit]!),
          finding: (finding) => this.findings.push({ ...finding, name: nameToText(finding.name) }),
          bug: (error) => this.bugs.push(error),
        },
      },
      this.inForce,
    );
    this.renewals = new Renewals(this.resolver.flights);
  }

  /** Puts another policy in force. */
  reload(policy: string): void {
    this.inForce = this.#load(policy);
    this.resolver.swap(this.inForce);
  }

  renew(destinations: 'all' | string[], max = 1000): void {
    this.renewals.configure(renewable(this.snapshot, destinations, max, this.epoch), this.inForce);
  }

  pass(seconds: number): void {
    this.now += seconds * 1000;
    this.epoch += seconds;
  }

  /** Sends a query. The reply is there at once, or comes when its upstream question is settled. */
  query(name: string, type = 'A', options: QueryOptions = {}): Promise<Reply> {
    return this.send(queryOctets(name, type, options), options);
  }

  send(octets: Buffer, options: QueryOptions = {}): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    const out = Buffer.alloc(0x1_0000);
    const client = clientAt(options, (reply) => resolve(readReply(reply)));
    const length = this.resolver.answer(octets, octets.length, client, out);
    if (length > 0) resolve(readReply(Buffer.from(out.subarray(0, length))));
    else if (length !== LATER) resolve(DROPPED_REPLY);
    return promise;
  }

  /** Asks, lets the upstream answer with `script`, and gives the reply. */
  ask(name: string, type = 'A', options: QueryOptions = {}, script: Script = { failure: 'network' }): Promise<Reply> {
    const reply = this.query(name, type, options);
    this.settleAll(script);
    return reply;
  }

  settleAll(script: Script): void {
    for (const asked of this.asked.filter((one) => !settled.has(one))) this.settle(asked, script);
  }

  /** Lets one upstream question end. Returns whether the reply was usable. */
  settle(asked: Asked, script: Script): boolean {
    settled.add(asked);
    const { listener } = asked;
    let outcome: Outcome = { kind: 'failure', reason: script.failure ?? 'refused' };
    let usable = false;
    if (script.failure === undefined) {
      const message = replyOctets(asked, script);
      usable = listener.accept(message, script.verified ?? false);
      if (usable) outcome = { kind: 'reply', message, verified: script.verified ?? false };
    }
    listener.done(outcome);
    return usable;
  }

  #load(policy: string): InForce {
    const { snapshot, problems } = loadPolicyOnly(this.#dir({ 'policy.yaml': policy }) + '/policy.yaml', {
      env: {},
      now: this.epoch,
      salt: 7,
    });
    if (snapshot === null) throw new Error(`the test's policy has problems: ${JSON.stringify(problems)}`);
    this.snapshot = snapshot;
    const groups = this.#settings.groups ?? [{ name: 'default', servers: 'system', zones: [] }];
    return {
      snapshot,
      replies: { maxTtl: 300, dynamicMaxTtl: 30, edeText: true },
      cache: { size: 2 ** 20, maxTtl: 86_400, serveStale: 3600, share: 'all' },
      limits: { inFlight: 10_000, tcpClients: 1000, unknownQps: 20 },
      keepalive: 100,
      groupOf: groupRouter(groups),
      groupIds: groups.map((_, index) => index),
      ...this.#settings,
    };
  }
}

const settled = new WeakSet<Asked>();

const DROPPED_REPLY: Reply = {
  octets: Buffer.alloc(0),
  rcode: -1,
  flags: 0,
  answer: [],
  authority: [],
  edns: false,
  ede: [],
};

function clientAt(options: QueryOptions, send: (reply: Buffer) => void): Client {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = addressWords(options.from ?? '127.0.0.1');
  return {
    transport: options.transport ?? 'udp',
    family: options.from?.includes(':') ? 6 : 4,
    w0,
    w1,
    w2,
    w3,
    defer: () => ({
      send: (reply, length) => send(Buffer.from(reply.subarray(0, length))),
      drop: () => {},
    }),
  };
}

function addressWords(text: string): number[] {
  if (!text.includes(':')) return [text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)];
  const [head = '', tail = ''] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return [0, 2, 4, 6].map((i) => (Number.parseInt(groups[i]!, 16) << 16) >>> 0 | Number.parseInt(groups[i + 1]!, 16)).map((word) => word >>> 0);
}

export function wireName(text: string): Uint8Array {
  const name = nameFromText(text);
  if (name instanceof WireError) throw new Error(`bad name ${text}`);
  return name;
}

export function queryOctets(name: string, type: string, options: QueryOptions = {}): Buffer {
  const wire = wireName(name);
  const edns = options.edns ?? true;
  const out = Buffer.alloc(12 + wire.length + 4 + (edns ? 11 : 0));
  const flags = FLAG.RD | (options.cd ? FLAG.CD : 0) | (options.ad ? FLAG.AD : 0);
  writeUint16(out, 0, options.id ?? 0x1234);
  writeUint16(out, 2, flags);
  writeUint16(out, 4, 1);
  writeUint16(out, 10, edns ? 1 : 0);
  out.set(wire, 12);
  writeUint16(out, 12 + wire.length, typeFromText(type)!);
  writeUint16(out, 14 + wire.length, 1);
  if (edns) {
    const at = 16 + wire.length;
    writeUint16(out, at + 1, TYPE.OPT);
    writeUint16(out, at + 3, options.udpSize ?? 1232);
    out[at + 7] = options.do ? 0x80 : 0;
  }
  return out;
}

/** A whole upstream message, uncompressed. */
export function replyOctets(question: { name: Uint8Array; type: number }, script: Script): Buffer {
  const sections = [script.answer ?? [], script.authority ?? [], script.additional ?? []];
  const head = Buffer.alloc(12 + question.name.length + 4);
  writeUint16(head, 2, FLAG.QR | FLAG.RD | FLAG.RA | (script.flags ?? 0) | (script.rcode ?? 0));
  writeUint16(head, 4, 1);
  sections.forEach((records, i) => {
    writeUint16(head, 6 + 2 * i, records.length);
  });
  head.set(question.name, 12);
  writeUint16(head, 12 + question.name.length, question.type);
  writeUint16(head, 14 + question.name.length, 1);
  return Buffer.concat([head, ...sections.flat().map(recordOctets)]);
}

export function recordOctets(text: RecordText): Buffer {
  const [owner = '', ttl = '', mnemonic = '', ...rest] = text.split(' ');
  const type = typeFromText(mnemonic)!;
  const rdata = rdataOctets(type, rest.join(' '));
  const name = wireName(owner);
  const out = Buffer.alloc(name.length + 10 + rdata.length);
  out.set(name);
  writeUint16(out, name.length, type);
  writeUint16(out, name.length + 2, 1);
  writeUint32(out, name.length + 4, Number(ttl));
  writeUint16(out, name.length + 8, rdata.length);
  out.set(rdata, name.length + 10);
  return out;
}

/** SOA as `mname rname serial refresh retry expire minimum`, RRSIG as `covered labels signer`, the rest as in policies. */
function rdataOctets(type: number, text: string): Uint8Array {
  const parts = text.split(' ');
  if (type === TYPE.SOA) {
    const times = Buffer.alloc(20);
    parts.slice(2).forEach((value, i) => {
      writeUint32(times, 4 * i, Number(value));
    });
    return Buffer.concat([wireName(parts[0]!), wireName(parts[1]!), times]);
  }
  if (type === TYPE.RRSIG) {
    const fixed = Buffer.alloc(18);
    writeUint16(fixed, 0, typeFromText(parts[0]!)!);
    fixed[3] = Number(parts[1]);
    return Buffer.concat([fixed, wireName(parts[2]!), Buffer.alloc(16, 7)]);
  }
  if (type === TYPE.CNAME || type === TYPE.DNAME || type === TYPE.NS) return wireName(text);
  if (type === TYPE.NSEC) return Buffer.concat([wireName(text), Buffer.from([0, 1, 0x40])]);
  const rdata = parseRdata(type, text);
  if ('message' in rdata) throw new Error(`${text}: ${rdata.message}`);
  return rdata;
}

export function readReply(octets: Buffer): Reply {
  const message = readMessage(octets);
  // A reply to what could not be read has no question.
  if (message instanceof WireError) {
    return { ...DROPPED_REPLY, octets, rcode: octets[3]! & 15, flags: messageFlags(octets) };
  }
  const opt = message.records.find(({ type }) => type === TYPE.OPT);
  const text = (section: number): string[] =>
    message.records.filter((record) => record.section === section && record !== opt).map((record) => recordText(octets, record));
  const extended = opt === undefined ? 0 : (opt.ttl >>> 24) << 4;
  return {
    octets,
    rcode: (message.flags & 15) | extended,
    flags: message.flags,
    answer: text(1),
    authority: text(2),
    edns: opt !== undefined,
    ede: opt === undefined ? [] : readEde(octets, opt),
  };
}

function readEde(octets: Buffer, opt: WireRecord): { code: number; text: string }[] {
  const found: { code: number; text: string }[] = [];
  for (let at = opt.start; at < opt.end; ) {
    const size = octets.readUInt16BE(at + 2);
    if (octets.readUInt16BE(at) === 15) {
      found.push({ code: octets.readUInt16BE(at + 4), text: octets.toString('utf8', at + 6, at + 4 + size) });
    }
    at += 4 + size;
  }
  return found;
}

function recordText(octets: Buffer, record: WireRecord): string {
  const out = new Uint8Array(0x1_0000);
  const size = expandRdata(octets, record.type, record.start, record.end, out, 0);
  const rdata = Buffer.from(out.subarray(0, size));
  return `${nameToText(record.owner)} ${record.ttl} ${typeToText(record.type)} ${rdataText(record.type, rdata)}`;
}

function rdataText(type: number, rdata: Buffer): string {
  switch (type) {
    case TYPE.A:
      return rdata.join('.');
    case TYPE.CNAME:
    case TYPE.NS:
    case TYPE.DNAME:
      return nameToText(rdata);
    case TYPE.SOA:
      return `minimum ${rdata.readUInt32BE(rdata.length - 4)}`;
    case TYPE.TXT:
    case TYPE.HINFO:
      return rdata.toString('latin1').replace(/[^ -~]/g, '|');
    case TYPE.RRSIG:
      return typeToText(rdata.readUInt16BE(0));
    default:
      return rdata.toString('hex');
  }
}
