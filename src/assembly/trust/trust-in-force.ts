import { isError, type Problem } from '../../policy/problem.ts';
import type { Log } from '../../report/log.ts';
import type { Readiness } from '../../report/readiness.ts';
import { tellProblems } from '../../report/tell-problems.ts';
import type { Designation } from '../../resolve/local/designation.ts';
import type { ListenSetting } from '../../settings/settings.ts';
import type { EpochSeconds, Milliseconds } from '../../wire/quantity.ts';
import type { Listeners } from '../listeners.ts';
import type { LoadOutcome } from '../reloads.ts';
import type { CertificateWatch } from './certificate-watch.ts';
import type { CrlWatch } from './crl-watch.ts';
import type { TrustBuilder, Trusts } from './trusts.ts';

export interface TrustRooms {
  readonly builder: TrustBuilder;
  readonly listeners: Listeners;
  readonly crls: CrlWatch;
  readonly certificates: CertificateWatch;
  readonly readiness: Readiness;
  readonly log: Log;
  /** Seconds since 1970. */
  readonly epoch: () => EpochSeconds;
  /** What `_dns.resolver.arpa` says from now on. */
  readonly designate: (designations: readonly Designation[]) => void;
}

/** What TLS listeners show and whom they trust, as it is in force: of the last good load, or changed since without one. */
export class TrustInForce {
  readonly #rooms: TrustRooms;
  #listen: readonly ListenSetting[];
  #trusts: Trusts;

  /** `listen` and `trusts`: of the load that the server starts with. */
  constructor(rooms: TrustRooms, listen: readonly ListenSetting[], trusts: Trusts) {
    this.#rooms = rooms;
    this.#listen = listen;
    this.#trusts = trusts;
    rooms.crls.take(trusts, rooms.epoch());
    rooms.certificates.take(trusts, rooms.epoch());
  }

  get listen(): readonly ListenSetting[] {
    return this.#listen;
  }

  get trusts(): Trusts {
    return this.#trusts;
  }

  /** Of a load that is being put in force. */
  take(listen: readonly ListenSetting[], trusts: Trusts): void {
    const { listeners, crls, certificates, epoch } = this.#rooms;
    listeners.trust(trusts);
    crls.take(trusts, epoch());
    certificates.take(trusts, epoch());
    this.#listen = listen;
    this.#trusts = trusts;
  }

  /**
   * Certificates, keys, CAs and CRLs of the listeners in force have changed, and nothing else: policy and answers stay.
   * Where one is an error, all of them stay as they were. `isLastInForce`: the policy that was read last is in force.
   */
  change(listen: readonly ListenSetting[], isLastInForce: boolean, ms: Milliseconds): LoadOutcome {
    const { builder, log, epoch, designate, readiness } = this.#rooms;
    const { trusts, problems } = builder.build(listen, epoch());
    tellProblems(log, problems);
    const errors = problems.filter(isError);
    if (errors.length > 0) return this.#refuse(errors);
    designate([...trusts.values()].flatMap(({ designation }) => designation ?? []));
    this.take(listen, trusts);
    if (isLastInForce) readiness.reloadDone();
    log.info('trust-loaded', 'certificates, keys, CAs and CRLs that changed are in force', { ms });
    return { inForce: true, problems };
  }

  #refuse(errors: readonly Problem[]): LoadOutcome {
    const { log, epoch, readiness } = this.#rooms;
    readiness.reloadFailed(epoch(), errors);
    const message = 'the change is not in force: the last good certificates, keys, CAs and CRLs stay';
    log.error('reload-failed', message, { why: 'a file changed', problems: errors.length });
    return { inForce: false, problems: errors };
  }
}
