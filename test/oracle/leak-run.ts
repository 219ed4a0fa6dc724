/** The house of the leak oracle: the whole story in one process, so that the policy of each moment is known exactly. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { largeArrays } from '../../src/policy/compile/arrays.ts';
import { typeToText } from '../../src/wire/iana.ts';
import { nameToText } from '../../src/wire/name.ts';
import { House, queryOctets, type Asked as Upstream } from '../resolve/house.ts';
import { readMessage } from '../server/message.ts';
import { Random } from '../server/random.ts';
import { layOut, POLICY_FILE } from './layout.ts';
import { type Asked, Judge } from './leak-judge.ts';
import { ASKERS, type Event, randomVictim } from './leak-story.ts';
import { truth, upstreamScript } from './leak-world.ts';
import { type Name, nameOf, toText } from './names.ts';
import type { Policy } from './policy.ts';

/** Milliseconds after which a forwarder says that it is slow, and at which it ends. */
const SLOW_MS = 1800;
const END_MS = 3800;

interface Open {
  readonly asked: Upstream;
  readonly at: number;
  slow: boolean;
}

export interface LeakCounts {
  asked: number;
  answered: number;
  upstream: number;
  reloads: number;
  /** Replies under another policy than that of their question. */
  later: number;
  renewed: number;
  /** Leases opened, put at another stage, or ended. */
  leases: number;
}

/** One house, to which events happen. */
export class LeakRun {
  readonly counts: LeakCounts = {
    asked: 0,
    answered: 0,
    upstream: 0,
    reloads: 0,
    later: 0,
    renewed: 0,
    leases: 0,
  };
  readonly #judge = new Judge();
  readonly #folder = mkdtempSync(join(tmpdir(), 'namegate-leak-'));
  #files: Readonly<Record<string, string>> = {};
  #house: House | null = null;
  #open: Open[] = [];
  /** Questions without a reply yet, with the moment at which they were sent. */
  readonly #waiting = new Map<Asked, number>();
  /** The lease that was last opened for each asker. */
  readonly #leaseIds: string[] = [];
  #ticking = false;
  /** The question whose end is being told. */
  #settling: Upstream | null = null;
  /** Names that were renewed, by type. */
  readonly #renewed = new Map<string, Set<Name>>();
  #fault: string | null = null;

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }

  /** Lets one event happen; returns what is wrong then, or null. The first event is a reload. */
  async happen(event: Event): Promise<string | null> {
    switch (event.kind) {
      case 'reload':
        this.#reload(event.policy, event.share, event.renew);
        break;
      case 'ask':
        this.#ask(event);
        break;
      case 'settle': {
        const [one] = this.#open.splice(event.pick % Math.max(1, this.#open.length), 1);
        if (one !== undefined) this.#settle(one, event.seed);
        break;
      }
      case 'pass':
        await this.#pass(event.milliseconds);
        break;
      case 'tick':
        this.#ticking = true;
        this.#house!.tick();
        this.#ticking = false;
        this.#house!.leases.expire(this.#house!.now);
        break;
      default:
        this.#lease(event);
    }
    await repliesRead();
    const [bug] = this.#house!.bugs;
    if (bug !== undefined) this.#fault ??= `a bug: ${bug instanceof Error ? bug.stack : String(bug)}`;
    return this.#fault;
  }

  #reload(policy: Policy, share: 'all' | 'identity', renew: boolean): void {
    this.#files = layOut(policy).files;
    const yaml = this.#files[POLICY_FILE]!;
    const groups = [
      { name: 'default', servers: 'system' as const, zones: [] },
      { name: 'pool', servers: 'system' as const, zones: [Buffer.from('\x04pool\x07example\0', 'latin1')] },
    ];
    const cache = { size: 2 ** 20, maxTtl: 86_400, serveStale: 3600, share };
    if (this.#house === null) {
      this.#house = new House(() => this.#write(), yaml, { groups, cache });
      this.#house.onAsk = (asked) => this.#asked(asked);
    } else {
      const { snapshot } = this.#house.inForce;
      this.#house.reload(yaml, { groups, cache });
      // The server gives these pages back: whoever still reads them shall find what nobody wrote.
      for (const array of largeArrays(snapshot)) array.fill(0xffff_ffff);
    }
    const house = this.#house;
    if (renew) house.renew('all', 40);
    else house.renewals.configure([], house.inForce);
    this.counts.reloads++;
    this.#judge.policy = policy;
    this.#tellTime();
  }

  /** What happens to leases, in the table under test and in the judge's own. */
  #lease(event: Extract<Event, { asker: number }> & { kind: 'lease' | 'advance' | 'end' }): void {
    const { leases, now } = this.#house!;
    const slow = this.#judge.leases;
    const { asker } = event;
    const id = this.#leaseIds[asker] ?? 'none';
    const agree = (got: boolean, wanted: boolean): void => {
      if (got !== wanted)
        this.#fail(`${event.kind} of lease ${id}: ${got ? 'done' : 'refused'}, not so by the reference`);
      if (got) this.counts.leases++;
    };
    switch (event.kind) {
      case 'lease': {
        const lease = {
          id: `lease-${this.counts.asked}-${this.counts.leases}`,
          identity: event.identity,
          stage: event.stage,
          endsAt: now + event.milliseconds,
          quarantine: event.quarantine,
        };
        const addresses = [fullPrefix(ASKERS[asker]!.from)];
        const refused = leases.open(
          { ...lease, addresses, certificate: null, job: null, sourceEnforced: false, known: true },
          now,
        );
        agree(refused === null, slow.open({ ...lease, asker }, now));
        if (refused === null) this.#leaseIds[asker] = lease.id;
        break;
      }
      case 'advance':
        agree(leases.change(id, { stage: event.stage }, now), slow.advance(id, event.stage, now));
        break;
      default:
        agree(leases.end(id, now) !== null, slow.end(id, now));
    }
  }

  #write(): string {
    for (const [file, text] of Object.entries(this.#files)) writeFileSync(join(this.#folder, file), text);
    return this.#folder;
  }

  #tellTime(): void {
    this.#judge.now = this.#house!.now;
    this.#judge.epoch = this.#house!.epoch;
  }

  async #pass(milliseconds: number): Promise<void> {
    const house = this.#house!;
    for (let left = milliseconds; left > 0; ) {
      // No further than to the next moment at which a question upstream is slow, or ends.
      const due = this.#open.map(({ at, slow }) => at + (slow ? END_MS : SLOW_MS) - house.now);
      const step = Math.max(1, Math.min(left, ...due));
      left -= step;
      house.pass(step / 1000);
      this.#tellTime();
      for (const one of [...this.#open]) {
        if (!one.slow && house.now - one.at >= SLOW_MS) {
          one.slow = true;
          one.asked.listener.slow();
        }
        if (house.now - one.at < END_MS) continue;
        this.#open.splice(this.#open.indexOf(one), 1);
        house.settle(one.asked, { failure: 'silent' });
      }
      await repliesRead();
    }
    // One that was under way may have been asked once more, after a reload.
    for (const [asked, at] of this.#waiting)
      if (house.now - at > 3 * END_MS) this.#fail(`no reply to ${askedText(asked)}`);
  }

  #ask(event: Event & { kind: 'ask' }): void {
    const { asker, name, type, edns, dnssecOk, checkingDisabled, transport } = event;
    const asked = { asker, name: nameOf(name), type, edns, dnssecOk, checkingDisabled };
    const options = { from: ASKERS[asker]!.from, transport, edns, do: dnssecOk, cd: checkingDisabled };
    const reloads = this.counts.reloads;
    this.counts.asked++;
    this.#waiting.set(asked, this.#house!.now);
    this.#house!.send(queryOctets(name === '' ? '.' : name, type, options), options).then(
      ({ octets }) => {
        this.#waiting.delete(asked);
        if (reloads !== this.counts.reloads) this.counts.later++;
        if (octets.length === 0) this.#fail(`no reply to ${askedText(asked)}`);
        else this.#judgeReply(asked, octets);
      },
      (error: unknown) => this.#fail(`a reply that cannot be read: ${String(error)}`),
    );
  }

  #judgeReply(asked: Asked, octets: Buffer): void {
    const reply = readMessage(octets);
    if (reply.answer.length > 0) this.counts.answered++;
    const fault = this.#judge.judge(asked, reply);
    if (fault === null) return;
    const records = [...reply.answer, ...reply.authority].map(
      ({ owner, ttl, type, data }) => `  ${owner} ${ttl} ${type} ${data}`,
    );
    this.#fail([`${askedText(asked)} -> ${reply.rcode}: ${fault}`, ...records].join('\n'));
  }

  #settle({ asked }: Open, seed: number): void {
    const random = new Random(seed);
    const name = nameOf(nameToText(asked.name) === '.' ? '' : nameToText(asked.name));
    const type = typeToText(asked.type);
    this.#settling = asked;
    this.#house!.settle(asked, upstreamScript(name, type, randomVictim(random), random));
    this.#settling = null;
  }

  /** A question goes upstream: for whom? */
  #asked(asked: Upstream): void {
    const house = this.#house!;
    // The house keeps them for tests that look back.
    house.asked.length = 0;
    house.exits.length = 0;
    this.counts.upstream++;
    this.#open.push({ asked, at: house.now, slow: false });
    const text = nameToText(asked.name);
    const name = nameOf(text === '.' ? '' : text);
    const type = typeToText(asked.type);
    const group = text === 'pool.example' || text.endsWith('.pool.example') ? 1 : 0;
    if (asked.group !== group) this.#fail(`${asked.text} goes to group ${asked.group}`);
    if (this.#ticking) {
      this.counts.renewed++;
      const names = this.#renewed.get(type) ?? new Set();
      this.#renewed.set(type, names.add(name));
      if (!this.#judge.mayRenew(name, type)) this.#fail(`${asked.text} is renewed, and nobody may ask it`);
      return;
    }
    if (this.#isRestOf(this.#settling, name, type)) return;
    const forSomebody = [...this.#waiting.keys()].some((one) => {
      if (one.type !== type) return false;
      // CD leaves for nobody who did not send it, and never with a validator's types.
      if (asked.checkingDisabled && (!one.checkingDisabled || type === 'DS' || type === 'DNSKEY'))
        return false;
      const upstream = this.#judge.upstreamOf(one);
      return upstream === name || (upstream !== null && isOfChain(name, upstream, type));
    });
    const renewed = [...(this.#renewed.get(type) ?? [])].some((one) => isOfChain(name, one, type));
    if (!forSomebody && !renewed)
      this.#fail(`${asked.text} goes upstream, and no policy approves it for who asked`);
  }

  /**
   * Whether a reply that comes in just now leads to the question: a chain without its end. What went out rightly is brought to
   * its end under the policy and lease that it began with; only its reply is held to those of its own moment. So a lease may
   * have given the asker to another identity meanwhile, or a reload may have taken the name away.
   */
  #isRestOf(settling: Upstream | null, name: Name, type: string): boolean {
    if (settling === null || typeToText(settling.type) !== type) return false;
    return isOfChain(name, nameOf(nameToText(settling.name)), type);
  }

  #fail(fault: string): void {
    this.#fault ??= fault;
  }
}

/** Whether the chain from a name leads here: where an upstream gives it without its end, the rest is asked for. */
function isOfChain(name: Name, from: Name, type: string): boolean {
  return (
    type !== 'CNAME' &&
    truth(from, type).some((record) => record.type === 'CNAME' && nameOf(record.data) === name)
  );
}

/** An IPv4 address as a prefix of 32 bits. */
function fullPrefix(address: string): { family: 4; words: number[]; length: number } {
  const word = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return { family: 4, words: [word], length: 32 };
}

function askedText({ asker, name, type, dnssecOk, checkingDisabled, edns }: Asked): string {
  const marks = [
    edns ? '' : ' without OPT',
    dnssecOk ? ' with DO' : '',
    checkingDisabled ? ' with CD' : '',
  ].join('');
  return `${ASKERS[asker]!.name}: ${toText(name)} ${type}${marks}`;
}

/** Replies are promises: they are all read after two turns of the microtasks' queue. */
async function repliesRead(): Promise<void> {
  await null;
  await null;
}
