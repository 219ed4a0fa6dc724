import { loadPolicyOnly } from '../../src/config/load.ts';
import { renewable } from '../../src/policy/compile/renewable.ts';
import { LeaseTable } from '../../src/policy/lease/lease.ts';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import { findingsOf, type StoryFinding } from '../../src/report/findings.ts';
import { Cookies } from '../../src/resolve/client/cookies.ts';
import type { Credential } from '../../src/resolve/client/credential.ts';
import { EXITS } from '../../src/resolve/exit.ts';
import { Renewals } from '../../src/resolve/flights/renewals.ts';
import type { Gate } from '../../src/resolve/grants/gate.ts';
import { buildInForce, type InForce, type InForceParts } from '../../src/resolve/in-force.ts';
import type { Charges } from '../../src/resolve/ledger/charges.ts';
import {
  type Acceptance,
  ANSWER_IT,
  type Client,
  type ForwardListener,
  LATER,
  type Outcome,
  type ReplyLater,
  type UpstreamQuestion,
} from '../../src/resolve/ports.ts';
import { Resolver } from '../../src/resolve/story/resolver.ts';
import type { Observer } from '../../src/resolve/story/story-ports.ts';
import type { Turn } from '../../src/resolve/story/turn.ts';
import { DEFAULT_BUDGETS, type UpstreamGroup } from '../../src/settings/settings.ts';
import { FLAG, writeUint16 } from '../../src/wire/header.ts';
import { TYPE, typeFromText, typeToText } from '../../src/wire/iana.ts';
import { nameToText } from '../../src/wire/name.ts';
import { PlainAnswers } from './answers.ts';
import { replyOctets, type Script, wireName } from './records.ts';
import { NO_REPLY, type Reply, readReply } from './reply.ts';

/** The one who asked, for this question. */
export interface AskedListener {
  accept(message: Buffer, verified: boolean): Acceptance;
  slow(): void;
  failedLately(): boolean;
  done(outcome: Outcome): void;
}

export interface Asked extends UpstreamQuestion {
  /** `name TYPE`, with ` CD` behind it where checking is disabled. */
  readonly text: string;
  readonly listener: AskedListener;
}

export interface QueryOptions {
  readonly from?: string;
  readonly port?: number;
  readonly transport?: 'udp' | 'tcp' | 'tls';
  readonly spoofable?: boolean;
  readonly credential?: Credential | null;
  /** The address of ours that it asks. */
  readonly asked?: string;
  readonly edns?: boolean;
  readonly udpSize?: number;
  readonly version?: number;
  /** EDNS options as octets. */
  readonly options?: Buffer;
  readonly do?: boolean;
  readonly cd?: boolean;
  readonly ad?: boolean;
  readonly rd?: boolean;
  readonly id?: number;
  readonly class?: number;
  readonly opcode?: number;
}

type Settings = Partial<Omit<InForceParts, 'snapshot'>> & {
  groups?: readonly UpstreamGroup[];
  charges?: Charges;
  gate?: Gate;
};
type Dir = (content: Record<string, string>) => string;

/**
 * The whole story without sockets: a policy as YAML text, a scripted upstream, and a clock that tests turn. Upstream
 * questions wait in `asked` until `settle` answers them.
 */
export class House {
  /** Monotonic milliseconds, and seconds since 1970. */
  now = 1_000_000;
  epoch = Date.UTC(2026, 10, 20) / 1000;
  readonly asked: Asked[] = [];
  /** `other` and `unproven` stand only where they say something. */
  readonly findings: Record<string, unknown>[] = [];
  readonly bugs: unknown[] = [];
  readonly exits: string[] = [];
  /** Questions that were decided. */
  decided = 0;
  /** Questions that were told as charged beyond an audited budget. */
  overspent = 0;
  /** Hears of queries too. */
  also: Pick<Observer, 'waits' | 'decided' | 'overspent' | 'ended'> | null = null;
  readonly store = new PlainAnswers();
  readonly leases = new LeaseTable();
  readonly cookies = new Cookies(Buffer.alloc(16, 7));
  readonly resolver: Resolver;
  readonly renewals: Renewals;
  identityAllowed = true;
  unknownVerdict: 0 | 1 | 2 = ANSWER_IT;
  /** Called where a port is used; a test makes them throw. */
  onAsk: (asked: Asked) => void = () => {};
  onExit: () => void = () => {};
  /** Sees every turn at its end. */
  onEnd: (turn: Turn) => void = () => {};
  onBug: () => void = () => {};
  onSend: () => void = () => {};
  snapshot!: Snapshot;
  inForce!: InForce;
  readonly #open = new Set<Asked>();
  readonly #dir: Dir;
  #settings: Settings;

  constructor(dir: Dir, policy: string, settings: Settings = {}) {
    this.#dir = dir;
    this.#settings = settings;
    this.inForce = this.#load(policy);
    this.resolver = new Resolver(
      {
        store: this.store,
        leases: this.leases,
        cookies: this.cookies,
        charges: settings.charges ?? null,
        gate: settings.gate ?? null,
        forwarder: { ask: (question, listener, ticket) => this.#ask(question, listener, ticket) },
        clock: { monotonic: () => this.now, epoch: () => this.epoch },
        limits: { identity: () => this.identityAllowed, unknown: () => this.unknownVerdict },
        observer: {
          decided: (turn) => {
            this.decided++;
            this.also?.decided(turn);
            this.#told(findingsOf(turn, 'decided'));
          },
          overspent: (turn) => {
            this.also?.overspent(turn);
            this.overspent++;
          },
          waits: (turn) => this.also?.waits?.(turn),
          ended: (turn, length) => {
            this.also?.ended(turn, length);
            this.#told(findingsOf(turn, 'ended'));
            this.exits.push(EXITS[turn.end.exit]!);
            this.onEnd(turn);
            this.onExit();
          },
          left: () => {},
          bug: (error) => {
            this.bugs.push(error);
            this.onBug();
          },
        },
      },
      this.inForce,
    );
    this.renewals = new Renewals(this.resolver.flights);
  }

  /** Upstream questions as text, in order. */
  get questions(): string[] {
    return this.asked.map(({ text }) => text);
  }

  /** Those that no test has ended. */
  get open(): Asked[] {
    return [...this.#open];
  }

  /** Puts another policy in force, and other settings where they are given. */
  reload(policy: string, settings: Settings = {}): void {
    this.#settings = { ...this.#settings, ...settings };
    this.inForce = this.#load(policy);
    this.resolver.swap(this.inForce);
  }

  renew(destinations: 'all' | string[], max = 1000): void {
    this.renewals.configure(renewable(this.snapshot, destinations, max, this.epoch), this.inForce);
  }

  tick(): void {
    this.renewals.sendDue(this.now, this.epoch);
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
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const settle = (reply: Buffer): void => {
      try {
        resolve(readReply(reply));
      } catch (error) {
        reject(error);
      }
    };
    const out = Buffer.alloc(0x1_0000);
    const later: ReplyLater = {
      send: (reply, length) => {
        settle(Buffer.from(reply.subarray(0, length)));
        this.onSend();
      },
      drop: () => resolve(NO_REPLY),
    };
    const length = this.resolver.answer(octets, octets.length, clientAt(options, later), out);
    if (length > 0) settle(Buffer.from(out.subarray(0, length)));
    else if (length !== LATER) resolve(NO_REPLY);
    return promise;
  }

  /** Asks, lets the upstream answer all that is open with `script`, and gives the reply. */
  ask(name: string, type = 'A', options: QueryOptions = {}, script: Script = {}): Promise<Reply> {
    const reply = this.query(name, type, options);
    // A chain without its end leads to further questions.
    for (let round = 0; round < 20 && this.#open.size > 0; round++) this.settleAll(script);
    return reply;
  }

  settleAll(script: Script): void {
    for (const asked of this.open) this.settle(asked, script);
  }

  /** Lets one upstream question end. Returns whether the reply was usable. */
  settle(asked: Asked, script: Script): boolean {
    this.#open.delete(asked);
    const { listener } = asked;
    const verified = script.verified ?? false;
    let outcome: Outcome = { kind: 'failure', reason: script.failure ?? 'refused' };
    let usable = false;
    if (script.failure === undefined) {
      const message = replyOctets(asked, script);
      usable = listener.accept(message, verified) !== 'bad';
      if (usable) outcome = { kind: 'reply' };
    }
    listener.done(outcome);
    return usable;
  }

  #ask(question: UpstreamQuestion, listener: ForwardListener, ticket: number): void {
    const cd = question.checkingDisabled ? ' CD' : '';
    const asked = {
      ...question,
      // What the question holds is the asker's again when this returns.
      name: Uint8Array.from(question.name),
      text: `${nameToText(question.name)} ${typeToText(question.type)}${cd}`,
      listener: {
        accept: (message: Buffer, verified: boolean) => listener.accept(message, verified, ticket),
        slow: () => listener.slow(ticket),
        failedLately: () => listener.failedLately(ticket),
        done: (outcome: Outcome) => listener.done(outcome, ticket),
      },
    };
    this.onAsk(asked);
    this.asked.push(asked);
    this.#open.add(asked);
  }

  #load(policy: string): InForce {
    const { snapshot, problems } = loadPolicyOnly(`${this.#dir({ 'policy.yaml': policy })}/policy.yaml`, {
      env: {},
      now: this.epoch,
      salt: 7,
    });
    if (snapshot === null) throw new Error(`the test's policy has problems: ${JSON.stringify(problems)}`);
    this.snapshot = snapshot;
    const { groups = [{ name: 'default', servers: 'system', zones: [] }], ...settings } = this.#settings;
    const parts = {
      snapshot,
      replies: { maxTtl: 300, dynamicMaxTtl: 30, edeText: true, contact: '' },
      cache: { size: 2 ** 20, maxTtl: 86_400, serveStale: 3600, share: 'all' as const },
      limits: { inFlight: 10_000, tcpClients: 1000, unknownQps: 20 },
      budgets: DEFAULT_BUDGETS,
      firewall: null,
      keepalive: 100,
      nearMiss: 6,
      designations: [],
      groupIds: groups.map((_, index) => index),
      ...settings,
    };
    return buildInForce(parts, groups, this.inForce ?? null);
  }

  #told(findings: readonly StoryFinding[]): void {
    for (const { other, unproven, name, certificate, ...told } of findings)
      this.findings.push({
        ...told,
        name: nameToText(name),
        ...(other === null ? {} : { other }),
        ...(certificate.length === 0 ? {} : { certificate }),
        ...(unproven ? { unproven } : {}),
      });
  }
}

function clientAt(options: QueryOptions, later: ReplyLater): Client {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = addressWords(options.from ?? '127.0.0.1');
  return {
    transport: options.transport ?? 'udp',
    spoofable: options.spoofable ?? false,
    lease: '',
    credential: options.credential ?? null,
    asked: (out) => {
      if (options.asked === undefined) return false;
      const [a0 = 0, a1 = 0, a2 = 0, a3 = 0] = addressWords(options.asked);
      Object.assign(out, { family: options.asked.includes(':') ? 6 : 4, w0: a0, w1: a1, w2: a2, w3: a3 });
      return true;
    },
    family: options.from?.includes(':') ? 6 : 4,
    w0,
    w1,
    w2,
    w3,
    port: options.port ?? 5353,
    defer: () => later,
  };
}

function addressWords(text: string): number[] {
  if (!text.includes(':')) return [text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)];
  const [head = '', tail = ''] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return [0, 2, 4, 6].map(
    (i) => Number.parseInt(groups[i]!, 16) * 65_536 + Number.parseInt(groups[i + 1]!, 16),
  );
}

/** One query. The name keeps its case; UDP size, version and options need EDNS, which is there unless `edns` is false. */
export function queryOctets(name: string, type: string, options: QueryOptions = {}): Buffer {
  const wire = wireName(name);
  const edns = options.edns ?? true;
  const extra = edns ? (options.options ?? Buffer.alloc(0)) : Buffer.alloc(0);
  const out = Buffer.alloc(12 + wire.length + 4 + (edns ? 11 : 0));
  const flags =
    (options.rd === false ? 0 : FLAG.RD) | (options.cd ? FLAG.CD : 0) | (options.ad ? FLAG.AD : 0);
  writeUint16(out, 0, options.id ?? 0x1234);
  writeUint16(out, 2, flags | ((options.opcode ?? 0) << 11));
  writeUint16(out, 4, 1);
  writeUint16(out, 10, edns ? 1 : 0);
  out.set(wire, 12);
  writeUint16(out, 12 + wire.length, typeFromText(type)!);
  writeUint16(out, 14 + wire.length, options.class ?? 1);
  if (edns) {
    const at = 16 + wire.length;
    writeUint16(out, at + 1, TYPE.OPT);
    writeUint16(out, at + 3, options.udpSize ?? 1232);
    out[at + 6] = options.version ?? 0;
    out[at + 7] = options.do ? 0x80 : 0;
    writeUint16(out, at + 9, extra.length);
  }
  return Buffer.concat([out, extra]);
}
