import type { LoadOptions } from '../config/loaded.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Log } from '../report/log.ts';
import type { InForce } from '../resolve/in-force.ts';
import { SYSTEM_TIMERS } from './chores.ts';
import type { Listeners } from './listeners.ts';
import { Reloads } from './reloads.ts';
import { partsOf, type Rooms } from './serving.ts';
import { Swap, type Whole } from './swap.ts';
import { LoadTaker } from './take-load.ts';
import { CertificateWatch } from './trust/certificate-watch.ts';
import { CrlWatch } from './trust/crl-watch.ts';
import { TrustInForce } from './trust/trust-in-force.ts';
import type { TrustBuilder } from './trust/trusts.ts';

export interface ReloadRooms extends Omit<Rooms, 'trust'> {
  readonly serverFile: string;
  /** What a load is made with, as of its start. */
  readonly loadOptions: () => LoadOptions;
  /** What made the trust of the first load. */
  readonly builder: TrustBuilder;
  readonly listeners: Listeners;
  readonly log: Log;
  /** A load has come in force, and nobody will read the snapshot of the one before again. */
  readonly taken: (before: Snapshot) => void;
}

/** Parts that take the first load from here; the others are made with it. */
const BEGUN = new Set(['limits', 'readiness', 'story']);

/** The way from a changed file to what is in force: who sees the change, who reads it, and which rooms take what of it. */
export class ReloadRoom {
  readonly reloads: Reloads;
  readonly crls: CrlWatch;
  readonly certificates: CertificateWatch;

  /** `first` is the load that the server starts with; it is in force when this returns. */
  constructor(rooms: ReloadRooms, first: Whole) {
    const { story, resolver, listeners, readiness, log, epoch, builder, serverFile, loadOptions, taken } =
      rooms;
    this.crls = new CrlWatch(log, readiness);
    this.certificates = new CertificateWatch(log, readiness);
    const designate = (designations: InForce['designations']): void => {
      story.present = story.designated(designations);
      resolver.swap(story.present);
    };
    const { crls, certificates } = this;
    const trust = new TrustInForce(
      { builder, listeners, crls, certificates, readiness, log, epoch, designate },
      first.settings.listen,
      first.trusts,
    );
    const parts = partsOf({ ...rooms, trust });
    for (const part of parts) if (BEGUN.has(part.name)) part.build(first)();
    const taker = new LoadTaker({
      swap: new Swap(parts, first),
      trust: builder,
      readiness,
      log,
      epoch,
      taken,
    });
    this.reloads = new Reloads(
      {
        serverFile,
        loadOptions,
        log,
        take: (result, why, ms) => taker.take(result, why, ms),
        retry: SYSTEM_TIMERS.once,
        listen: () => trust.listen,
        takeTrust: (listen, isLastInForce, ms) => trust.change(listen, isLastInForce, ms),
      },
      first,
    );
  }
}
