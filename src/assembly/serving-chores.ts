import type { StoryObserver } from '../report/observer.ts';
import type { Cookies } from '../resolve/client/cookies.ts';
import type { Renewals } from '../resolve/flights/renewals.ts';
import type { Charges } from '../resolve/ledger/charges.ts';
import type { Clock } from '../resolve/ports.ts';
import type { Resolver } from '../resolve/story/resolver.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { Chore } from './chores.ts';
import type { CertificateWatch } from './trust/certificate-watch.ts';
import type { CrlWatch } from './trust/crl-watch.ts';

const RENEWAL_TICK_MS: Milliseconds = 200;
/** A containment ends when a slice of three hours does, so that seconds do not matter. */
const SWEEP_MS: Milliseconds = 10_000;
const CRL_LOOK_MS: Milliseconds = 60_000;
const TELL_FOLDED_MS: Milliseconds = 60_000;
/** A server cookie lives an hour, and the secret before the present one is kept. */
const ROLL_COOKIES_MS: Milliseconds = 12 * 3_600_000;

export interface ChoreRooms {
  readonly clock: Clock;
  readonly renewals: Pick<Renewals, 'sendDue'>;
  readonly resolver: Pick<Resolver, 'keepPaidNames'>;
  readonly ledger: Pick<Charges, 'sweep'>;
  readonly crls: Pick<CrlWatch, 'look'>;
  readonly certificates: Pick<CertificateWatch, 'look'>;
  readonly cookies: Pick<Cookies, 'roll'>;
  readonly observer: Pick<StoryObserver, 'tellFolded'>;
  /** 16 octets that nobody outside knows, others at each call. */
  readonly secret: () => Uint8Array;
}

/** What a server does now and then while it serves. */
export function servingChores(rooms: ChoreRooms): Chore[] {
  const { clock, renewals, resolver, ledger, crls, certificates, cookies, observer, secret } = rooms;
  return [
    {
      name: 'ask for renewed names',
      every: RENEWAL_TICK_MS,
      work: () => renewals.sendDue(clock.monotonic(), clock.epoch()),
    },
    {
      name: 'keep paid names fresh',
      every: RENEWAL_TICK_MS,
      work: () => resolver.keepPaidNames(clock.monotonic(), clock.epoch()),
    },
    { name: 'end containments', every: SWEEP_MS, work: () => ledger.sweep() },
    { name: 'look at CRLs', every: CRL_LOOK_MS, work: () => crls.look(clock.epoch()) },
    { name: 'look at certificates', every: CRL_LOOK_MS, work: () => certificates.look(clock.epoch()) },
    { name: 'tell folded findings', every: TELL_FOLDED_MS, work: () => observer.tellFolded() },
    { name: 'roll the secret of cookies', every: ROLL_COOKIES_MS, work: () => cookies.roll(secret()) },
  ];
}
