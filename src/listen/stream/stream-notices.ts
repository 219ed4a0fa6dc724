import type { ShownCertificate } from '../../resolve/client/credential.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import { type ListenNotice, Pace } from '../listener.ts';

/** What is told of a certificate that does not count. Null where none was shown. */
export interface CertificateText {
  readonly message: string;
  readonly certificate: ShownCertificate | null;
}

/** Notices a minute of certificates for each rule: each may be another's. */
const CERTIFICATES = 10;

/** Tells of what happens to connections, each kind (of handshakes and PROXY headers, each reason: a closed set) once a minute, for a flood of trouble must not be a flood of log lines. */
export class StreamNotices {
  readonly #notice: (notice: ListenNotice) => void;
  readonly #now: () => Monotonic;
  readonly #paces = new Map<string, Pace>();

  constructor(notice: (notice: ListenNotice) => void, now: () => Monotonic) {
    this.#notice = notice;
    this.#now = now;
  }

  fault(error: unknown): void {
    this.#tell('fault', (count) => ({ kind: 'fault', error, count }));
  }

  trouble(error: Error): void {
    this.#tell('socket', (count) => ({ kind: 'socket', error, count }));
  }

  refused(cap: 'client' | 'total', client: string): void {
    this.#tell(`refused ${cap}`, (count) => ({ kind: 'refused', cap, client, count }));
  }

  evicted(): void {
    this.#tell('evicted', (count) => ({ kind: 'evicted', cap: 'total', count }));
  }

  proxy(client: string, reason: string): void {
    this.#tell(`proxy ${reason}`, (count) => ({ kind: 'proxy', client, reason, count }));
  }

  handshake(client: string, reason: string): void {
    this.#tell(`handshake ${reason}`, (count) => ({ kind: 'handshake', client, reason, count }));
  }

  /** `tell`: called where it is told alone. */
  certificate(client: string, refused: boolean, rule: string, tell: () => CertificateText): void {
    const make = (count: number): ListenNotice => ({
      kind: 'certificate',
      refused,
      client,
      rule,
      ...tell(),
      count,
    });
    this.#tell(`certificate ${refused} ${rule}`, make, CERTIFICATES);
  }

  #tell(kind: string, make: (count: number) => ListenNotice, most = 1): void {
    let pace = this.#paces.get(kind);
    if (pace === undefined) {
      pace = new Pace(most);
      this.#paces.set(kind, pace);
    }
    const count = pace.due(this.#now());
    if (count > 0) this.#notice(make(count));
  }
}
