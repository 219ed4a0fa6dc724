import type { SecureContext } from 'node:tls';
import { TlsConnector, type TlsServerAddress } from '../socket/tls-connector.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { Link, type LinkLimits, type LinkOwner } from './link.ts';
import { serverUrl } from './server-url.ts';
import type { Question } from './stub-question.ts';

/** Who hears of the connections of a server; as LinkOwner. */
export interface ServerOwner {
  linkReady(server: DotServer): void;
  linkReplied(server: DotServer, link: Link, question: Question, message: Buffer): void;
  linkGone(server: DotServer, link: Link, lost: readonly Question[]): void;
}

/** Milliseconds before a server that failed is dialled again: doubled with each failure, and spread. */
const FIRST_BACKOFF: Milliseconds = 100;
const MAX_BACKOFF: Milliseconds = 5000;
/** Connections to one server at once, those that drain included. */
const MAX_LINKS = 8;

/** One server: its connections, and when it may be dialled. */
export class DotServer implements LinkOwner {
  readonly address: TlsServerAddress;
  /** As the command line writes it. */
  readonly label: string;
  readonly links = new Set<Link>();
  /** Since its last answer. */
  failures = 0;
  /** Monotonic milliseconds. */
  failedAt: Monotonic = Number.NEGATIVE_INFINITY;
  retryAt: Monotonic = Number.NEGATIVE_INFINITY;
  /** Why it failed last; empty while it has not. */
  fault = '';
  /** When a silent connection was doubted last. */
  doubtedAt: Monotonic = Number.NEGATIVE_INFINITY;
  /** What the log was told last, and when. */
  reportedDown = false;
  reportedAt: Monotonic = Number.NEGATIVE_INFINITY;
  readonly #limits: LinkLimits;
  readonly #owner: ServerOwner;
  #connector: TlsConnector;

  constructor(address: TlsServerAddress, context: SecureContext, limits: LinkLimits, owner: ServerOwner) {
    this.address = address;
    this.label = serverUrl(address);
    this.#limits = limits;
    this.#owner = owner;
    this.#connector = new TlsConnector(address, () => context);
  }

  get connecting(): boolean {
    for (const link of this.links) if (!link.ready) return true;
    return false;
  }

  mayDial(now: Monotonic): boolean {
    return now >= this.retryAt && this.links.size < MAX_LINKS && !this.connecting;
  }

  /** A connection on which a question may be put now, or null. */
  usable(): Link | null {
    for (const link of this.links) if (!link.suspect && link.hasRoom) return link;
    return null;
  }

  dial(): void {
    this.links.add(new Link(this.label, this.#connector.connect(), this.#limits, this));
  }

  linkReady(): void {
    this.#owner.linkReady(this);
  }

  linkReplied(link: Link, question: Question, message: Buffer): void {
    this.#owner.linkReplied(this, link, question, message);
  }

  linkGone(link: Link, lost: readonly Question[]): void {
    this.links.delete(link);
    this.#owner.linkGone(this, link, lost);
  }

  answered(): void {
    this.failures = 0;
    this.retryAt = Number.NEGATIVE_INFINITY;
    this.fault = '';
  }

  failed(now: Monotonic, fault: string): void {
    const backoff = Math.min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** Math.min(this.failures, 10));
    this.failures++;
    this.failedAt = now;
    this.fault = fault;
    // Half of it is chance: the sidecars of a cluster do not come back as one.
    this.retryAt = now + backoff * (0.5 + Math.random() / 2);
    this.#connector.forget();
  }

  /** New connections show the new certificate; the old ones take no more questions, and end with those that they have. */
  renew(context: SecureContext): void {
    this.#connector = new TlsConnector(this.address, () => context);
    this.retryAt = Number.NEGATIVE_INFINITY;
    this.failures = 0;
    this.retireAll();
  }

  retireAll(): void {
    for (const link of [...this.links]) {
      link.blameless = true;
      if (link.ready) link.retire();
      else link.end(null);
    }
  }
}
