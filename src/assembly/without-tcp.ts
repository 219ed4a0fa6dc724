import { performance } from 'node:perf_hooks';
import { StrandedClients } from '../listen/udp/stranded.ts';
import type { Log } from '../report/log.ts';
import type { Readiness } from '../report/readiness.ts';
import type { UdpSetting } from '../settings/settings.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { prefixText } from './prefix-text.ts';

const LOOK_MS: Milliseconds = 2_000;
/** Clients that `/ready` shows. */
const SHOWN = 20;

/** Tells of clients that were sent from UDP to TCP and did not come: each once, a few every two seconds. */
export class WithoutTcp {
  readonly clients = new StrandedClients(crypto.getRandomValues(new Uint32Array(2)));
  readonly #log: Log;
  readonly #readiness: Readiness | null;
  #timer: NodeJS.Timeout | null = null;

  constructor(log: Log, readiness: Readiness | null) {
    this.#log = log;
    this.#readiness = readiness;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(performance.now()), LOOK_MS);
    this.#timer.unref();
  }

  look(now: Monotonic): void {
    for (const fields of this.clients.look(now)) {
      const message =
        'a client was sent to TCP and did not come: its resolver may have no TCP (musl before 1.2.4: Alpine to 3.17), or its source was forged';
      const fix =
        'where its network drops forged sources, write spoofable: { except: [PREFIX] } on the udp:// listener';
      this.#log.warn('client-without-tcp', message, { ...fields, fix });
    }
    this.#readiness?.setWithoutTcp(this.clients.count, this.clients.list(SHOWN));
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }
}

/** Whom a UDP listener sends to TCP for names that are not in the cache, for people; null for nobody. */
export function sentToTcp({ spoofable }: UdpSetting): string | null {
  if (spoofable === false) return null;
  const whom = 'clients without a DNS cookie';
  return spoofable === true ? whom : `${whom}, but for ${spoofable.except.map(prefixText).join(', ')}`;
}
