import type { EpochMilliseconds } from '../../wire/quantity.ts';

/** Packets of a client to what it was not granted, for those who tell of it and keep its account. */
export interface DirectNote {
  readonly note: 'direct';
  /** Milliseconds since 1970. */
  readonly at: EpochMilliseconds;
  readonly client: string;
  /** The same; of IPv6 its /64. */
  readonly network: string;
  readonly identity: string;
  readonly owner: string;
  readonly lease: string | null;
  readonly job: Readonly<Record<string, string>> | null;
  /** False where another may have sent them. */
  readonly proven: boolean;
  /** Null for many, which are not told apart; then there is no protocol and no port. */
  readonly address: string | null;
  readonly protocol: string | null;
  readonly port: number | null;
  readonly count: number;
  /** The name that the address was granted with last, to anybody. */
  readonly granted: string | null;
}
