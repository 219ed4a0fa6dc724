import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { parseAddress } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import type { Log } from '../../report/log.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { AdminSetting } from '../../settings/settings.ts';
import type { Prefix } from '../../wire/prefix.ts';
import { type Milliseconds, type Monotonic, unreachable } from '../../wire/quantity.ts';
import { Refusal } from '../http/refusal.ts';
import { type Caller, findRights } from './callers.ts';
import { Issuers } from './issuers.ts';

/** Failures that are answered at once, in a burst and a second; later ones wait. Good tokens never do. */
const BURST = 20;
const PER_SECOND = 5;
const WAIT_MS: Milliseconds = 1_000;
/** Milliseconds between two lines of the log about failures. */
const TELL_MS: Milliseconds = 10_000;
const MAX_TOKEN = 8_192;

/** Says who asks: on the socket whoever reaches it, on HTTP whom the token names. */
export class Authentication {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #issuers = new Issuers();
  #setting: AdminSetting;
  #credit = BURST;
  #counted: Monotonic;
  #untold = 0;
  #nextLine: Monotonic = 0;

  constructor(setting: AdminSetting, clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#setting = setting;
    this.#counted = clock.monotonic();
    this.configure(setting);
  }

  /** Takes other tokens and issuers; the way in stays. */
  configure(setting: AdminSetting): void {
    if (setting.kind !== this.#setting.kind) return;
    this.#setting = setting;
    if (setting.kind === 'http') this.#issuers.configure(setting.oidc);
  }

  async callerOf(request: FastifyRequest): Promise<Caller | Refusal> {
    if (this.#setting.kind === 'unix') return { kind: 'socket' };
    const caller = await this.#byToken(request);
    if (caller instanceof Refusal && caller.kind !== 'keys-unavailable') await this.#failed(request, caller);
    return caller;
  }

  async #byToken(request: FastifyRequest): Promise<Caller | Refusal> {
    if (this.#setting.kind !== 'http') return { kind: 'socket' };
    const token = /^Bearer +([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) return unauthenticated('write Authorization: Bearer TOKEN');
    if (token.length > MAX_TOKEN) return unauthenticated('the token is too large');
    const now = this.#clock.epoch();
    const from = peerOf(request);
    const known = findRights(token, this.#setting.tokens, now);
    if (known !== null) return { kind: 'token', token: known, from };
    if (!Issuers.isJwt(token)) return unauthenticated('the token is not known');
    const verified = await this.#issuers.verify(token, now);
    switch (verified.kind) {
      case 'job': {
        const { job } = verified;
        const { owner } = job;
        return owner === null ? { kind: 'no-job', label: job.label } : { kind: 'job', job, owner, from };
      }
      case 'refused':
        return unauthenticated(verified.reason);
      case 'unavailable':
        this.#log.warn('admin-trouble', "an issuer's keys are not to be had", { reason: verified.reason });
        return new Refusal('keys-unavailable', verified.reason);
      default:
        unreachable(verified);
    }
  }

  /** Many failures are guesses: their rate is bounded, and the log says so now and then. */
  async #failed(request: FastifyRequest, { detail }: Refusal): Promise<void> {
    const now = this.#clock.monotonic();
    this.#credit = Math.min(BURST, this.#credit + ((now - this.#counted) / 1000) * PER_SECOND);
    this.#counted = now;
    this.#untold++;
    if (now >= this.#nextLine) {
      const fields = { from: request.socket.remoteAddress, why: detail, count: this.#untold };
      this.#log.warn('admin-refused', 'a caller of the admin API is not known', fields);
      this.#untold = 0;
      this.#nextLine = now + TELL_MS;
    }
    if (this.#credit < 1) await pause(WAIT_MS);
    else this.#credit--;
  }
}

function unauthenticated(detail: string): Refusal {
  return new Refusal('unauthenticated', detail);
}

/** The address that a caller calls from, as its own prefix: the TCP peer, never what a header says. */
function peerOf(request: FastifyRequest): Prefix | null {
  const address = parseAddress((request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, ''));
  if (address instanceof TextFault) return null;
  return { ...address, length: address.family === 4 ? 32 : 128 };
}
