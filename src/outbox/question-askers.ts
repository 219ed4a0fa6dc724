import type { Bound } from '../policy/lease/bound.ts';
import type { View } from '../policy/snapshot.ts';
import type { Standing } from '../resolve/client/standing.ts';
import type { Turn } from '../resolve/story/turn.ts';
import { absorbed, type HashState, keyed, START } from '../wire/half-siphash.ts';
import type { Milliseconds } from '../wire/quantity.ts';

/** Questions of one account that have an entry of their own, three types a name; and then registered domains that have one. */
const MOST_NAMES = 6_000;
export const MOST_DOMAINS = 2_000;
/** Clients of an identity without a lease that have an account of their own on one day; and of those whose source may be forged. */
const MOST_CLIENTS = 4_096;
const MOST_UNPROVEN = 256;
/** Questions of a client whose source may be forged. */
const UNPROVEN_NAMES = 200;

/** Milliseconds. */
export const DAY: Milliseconds = 86_400_000;
/** Clients that are found without a text of them: so many that 10,000 seldom share one. */
const PLACES = 32_768;
/** Accounts that are remembered; beyond them all begin anew. */
const MOST_ACCOUNTS = 65_536;

/** What one account has asked so far. */
interface AskerAccount {
  names: number;
  domains: number;
  readonly mostNames: number;
  /** The client is one of many that are not told apart. */
  readonly isOthers: boolean;
}

/** Whoever asks, under the rules of now: what questions are hashed from. */
export class QuestionAsker {
  bound: Bound | null = null;
  standing: Standing | null = null;
  view: View | null = null;
  /** Of its certificate. A client that connects again with one that is remembered has the same array. */
  names: readonly string[] | null = null;
  proven = false;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  day = -1;
  state: HashState = START;
  account: AskerAccount = NOBODY;
}

const NOBODY: AskerAccount = { names: 0, domains: 0, mostNames: 0, isOthers: true };

/** The accounts by whoever asks. A question of who asked before makes nothing. */
export class QuestionAskers {
  readonly #places: (QuestionAsker | undefined)[] = new Array(PLACES);
  readonly #accounts = new Map<string, AskerAccount>();
  /** Clients with an account, by identity and proof. */
  readonly #clients = new Map<string, number>();
  #day = -1;
  readonly #key: HashState;
  /** Places of names in a snapshot's tree mean something in that snapshot alone. */
  #snapshots = 0;
  #snapshot: object | null = null;

  constructor(secret: Readonly<Uint32Array>) {
    this.#key = keyed(secret[0]!, secret[1]!);
  }

  /** `day`: whole days since 1970. */
  of(turn: Turn, day: number): QuestionAsker {
    const { asker } = turn;
    const { client, bound, standing, view } = asker;
    const { w0, w1, w2, w3, credential } = client;
    const names = credential?.names ?? null;
    const mixed = Math.imul(w0 ^ Math.imul(w1 ^ Math.imul(w2 ^ w3, 0x85eb_ca6b), 0xc2b2_ae35), 0x9e37_79b1);
    const place = (mixed >>> 16) & (PLACES - 1);
    let found = this.#places[place];
    if (found === undefined) {
      found = new QuestionAsker();
      this.#places[place] = found;
    }
    if (
      found.w0 === w0 &&
      found.w3 === w3 &&
      found.bound === bound &&
      found.standing === standing &&
      found.view === view &&
      found.names === names &&
      found.day === day &&
      found.proven === asker.proven &&
      found.w1 === w1 &&
      found.w2 === w2
    )
      return found;
    found.bound = bound;
    found.standing = standing;
    found.view = view;
    found.names = names;
    found.proven = asker.proven;
    found.w0 = w0;
    found.w1 = w1;
    found.w2 = w2;
    found.w3 = w3;
    found.day = day;
    this.#fill(found, turn, day);
    return found;
  }

  #fill(found: QuestionAsker, turn: Turn, day: number): void {
    const { asker, inForce } = turn;
    const isOther = inForce.snapshot !== this.#snapshot;
    if (isOther) {
      this.#snapshot = inForce.snapshot;
      this.#snapshots++;
    }
    // Under another policy each question is new once more.
    if (isOther || day !== this.#day || this.#accounts.size > MOST_ACCOUNTS) {
      this.#day = day;
      this.#accounts.clear();
      this.#clients.clear();
    }
    const text = this.#accountText(turn, day);
    let account = this.#accounts.get(text);
    if (account === undefined) {
      const hasProof = asker.proven || text.startsWith('l');
      const mostNames = hasProof ? MOST_NAMES : UNPROVEN_NAMES;
      account = { names: 0, domains: 0, mostNames, isOthers: text.startsWith('o') };
      this.#accounts.set(text, account);
    }
    found.account = account;
    const rules = `${text} ${asker.view.id} ${asker.stage?.name ?? ''} ${this.#snapshots}`;
    found.state = absorbed(this.#key, Buffer.from(rules));
  }

  /** What tells an account from another: a lease, or an identity's client and day. */
  #accountText(turn: Turn, day: number): string {
    const { client, bound, standing, proven } = turn.asker;
    if (bound !== null && bound.lease !== '') return `l${bound.lease}`;
    const { name } = standing.identity;
    const of = `${name} ${day}`;
    const { credential, family, w0, w1, w2, w3 } = client;
    const isMapped = family === 6 && w0 === 0 && w1 === 0 && w2 === 0xffff;
    const who =
      credential !== null
        ? credential.names.join(' ')
        : isMapped
          ? `4 ${w3}`
          : family === 4
            ? `4 ${w0}`
            : `6 ${w0} ${w1}`;
    const text = `p${of} ${who}`;
    if (this.#accounts.has(text)) return text;
    const counted = `${of} ${proven}`;
    const clients = this.#clients.get(counted) ?? 0;
    if (clients >= (proven ? MOST_CLIENTS : MOST_UNPROVEN)) return `o${of}`;
    this.#clients.set(counted, clients + 1);
    return text;
  }
}
