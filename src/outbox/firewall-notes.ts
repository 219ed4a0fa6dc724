/** What the firewall tells the worker. Times are milliseconds since 1970. */
export type FirewallNote = DirectNote | GuardNote;

/** Packets of a client to what it was not granted. */
export interface DirectNote {
  readonly note: 'direct';
  readonly at: number;
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

/** Trouble of the firewall itself. */
export interface GuardNote {
  readonly note: 'guard';
  readonly at: number;
  readonly finding: GuardFinding;
  /** It is over. */
  readonly over: boolean;
  /** What it is about, for people; empty for all. */
  readonly key: string;
  /** Empty where it is nobody's. */
  readonly identity: string;
  readonly owner: string;
  readonly client: string | null;
  readonly lease: string | null;
  readonly name: string | null;
  /** What is to be said besides. */
  readonly text: string | null;
  /** Answers are given all the same. */
  readonly open: boolean;
  /** How often it was so. */
  readonly count: number;
}

export type GuardFinding =
  | 'enforce-down'
  | 'enforce-rules'
  | 'enforce-fault'
  | 'grant-missing'
  | 'grant-limit';
