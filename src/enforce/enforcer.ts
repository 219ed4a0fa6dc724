import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../report/log.ts';
import type { RulesLine } from '../resolve/grants/grant-line.ts';
import { peerUser } from '../socket/netlink.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { Firewall } from './firewall.ts';
import type { RefusalWatch } from './refusal-watch.ts';
import { Session } from './session.ts';
import type { SkeletonTerms } from './table-skeleton.ts';

/** Milliseconds between two looks at the rules. */
const LOOK_MS: Milliseconds = 1_000;
const SWEEP_MS: Milliseconds = 10_000;
/** Between two looks at refused packets, and between two times that they are told. */
const REFUSED_MS: Milliseconds = 100;
const TELL_MS: Milliseconds = 1_000;

export interface EnforcerOptions {
  readonly firewall: Firewall;
  readonly log: Log;
  /** A path, or a descriptor that a service manager listens on. */
  readonly socket: string | number;
  /** Users that may connect; the socket is the first one's. */
  readonly users: readonly number[];
  readonly terms: SkeletonTerms;
  /** Refused packets; null where they are not to be had. */
  readonly refusals: RefusalWatch | null;
}

/** The firewall's keeper: it loads the rules, looks after them, and does what the resolver says, one resolver at a time. */
export class Enforcer {
  readonly #options: EnforcerOptions;
  readonly #server: Server;
  readonly #timers: NodeJS.Timeout[] = [];
  #session: Session | null = null;
  #rules: RulesLine = { op: 'rules', hash: null, mended: 0, trouble: '' };
  #blind = false;

  constructor(options: EnforcerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#arrived(socket));
  }

  /** Loads the rules and listens. Rejects with what to do. */
  async start(): Promise<void> {
    this.#load(this.#options.terms);
    await this.#listen();
    this.#timers.push(setInterval(() => this.look(), LOOK_MS));
    this.#timers.push(setInterval(() => this.#options.firewall.sweep(), SWEEP_MS));
    this.#timers.push(setInterval(() => this.#options.refusals?.look(), REFUSED_MS));
    this.#timers.push(setInterval(() => this.#tellRefusals(), TELL_MS));
  }

  /** Loads other rules, after a change of the server file. Throws with what is wrong; then the rules are as they were. */
  reload(terms: SkeletonTerms): void {
    this.#load(terms);
  }

  #load(terms: SkeletonTerms): void {
    const wrong = this.#options.firewall.load(terms);
    if (wrong !== null) throw new Error(wrong);
  }

  /** Looks whether the rules are as they were written; writes them again where they are not, and tells. */
  look(): RulesLine {
    const { firewall, log } = this.#options;
    try {
      const { hash, trouble } = firewall.mend();
      this.#blind = false;
      const mended = this.#rules.mended + (trouble === '' ? 0 : 1);
      this.#rules = { op: 'rules', hash, mended, trouble };
      if (trouble !== '') {
        log.error('enforce-trouble', trouble, { hash });
        this.#session?.send(this.#rules);
      }
    } catch (error) {
      // Another program changes much: the next look comes soon.
      if (!this.#blind) log.warn('enforce-trouble', 'the rules could not be looked at', { error });
      this.#blind = true;
    }
    return this.#rules;
  }

  /** What is in the kernel stays there. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#session?.end();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** While nobody listens they wait, as far as there is room. */
  #tellRefusals(): void {
    const { refusals } = this.#options;
    if (refusals === null || this.#session?.hasRoom !== true) return;
    for (const line of refusals.take()) this.#session.send(line);
  }

  #arrived(socket: Socket): void {
    const { firewall, log, users } = this.#options;
    const fd = (socket as Socket & { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
    const user = peerUser(fd);
    if (user === null || !users.includes(user)) {
      log.warn('enforce-trouble', `a process of user ${user ?? 'unknown'} is refused on the socket`, {});
      socket.destroy();
      return;
    }
    this.#session?.end();
    const session: Session = new Session(socket, {
      apply: (orders) => {
        this.#options.refusals?.hear(orders, performance.now());
        return firewall.apply(orders);
      },
      begin: (again) => firewall.begin(again),
      held: () => firewall.held(),
      settle: (told) => {
        const gone = firewall.strangers(told);
        const ends = gone.map(
          (client) => ({ op: 'end', client, identity: null, lease: null, quarantine_ms: 0 }) as const,
        );
        this.#options.refusals?.hear(ends, performance.now());
        firewall.apply(ends);
        const { wrong, dropped } = firewall.settle();
        if (wrong !== null) log.error('enforce-trouble', `the sets were not written: ${wrong}`, {});
        log.info('enforce-session', 'the resolver has told all that is live', {
          live: told.size,
          ended: gone.length,
          dropped,
        });
      },
      rules: () => this.look(),
      ended: (why) => {
        if (this.#session !== session) return;
        this.#session = null;
        log.warn('enforce-session', `${why}: nothing more is granted until it is back`, {});
      },
    });
    this.#session = session;
  }

  async #listen(): Promise<void> {
    const { socket: at } = this.#options;
    if (typeof at === 'number') {
      await this.#listening({ fd: at });
      return;
    }
    await clear(at);
    // It has its mode from its first moment.
    const mask = process.umask(0o177);
    const listening = this.#listening({ path: at });
    process.umask(mask);
    await listening;
    chmodSync(at, 0o600);
    const [user] = this.#options.users;
    if (user !== undefined && process.geteuid?.() === 0) chownSync(at, user, -1);
  }

  #listening(at: { readonly fd: number } | { readonly path: string }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(at, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }
}

/** What a dead process has left is taken away; a living one is not disturbed. */
async function clear(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket())
    throw new Error(`${path} is there, and is no socket: remove it, or choose another path`);
  const alive = await new Promise<boolean>((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (alive) throw new Error(`another process answers on ${path}: is namegate enforce running already?`);
  unlinkSync(path);
}
