import type { Milliseconds } from '../../wire/quantity.ts';

/**
 * What the detectors look for: the one table of kinds. The server file's keys, their defaults, the words of findings and the
 * docs are made from it or held to it.
 */

/** Domains of one client, and long names under one domain, that the detectors tell apart: no threshold may be more. */
export const MOST_DOMAINS = 128;
export const MOST_LONG_NAMES = 64;

/** What a threshold is a number of, and the least and most that can fire. Durations are milliseconds, sizes octets. */
export interface Threshold {
  readonly form: 'duration' | 'size' | 'count';
  readonly value: number;
  readonly least: number;
  /** Absent where any number can fire. */
  readonly most?: number;
  /** A sentence for the schema. */
  readonly says: string;
}

interface KindRow {
  readonly severity: 'low' | 'medium' | 'high' | 'operations';
  /** The severity that it may rise to. */
  readonly rises?: 'medium';
  readonly thresholds: Readonly<Record<string, Threshold>>;
  /** When it fires, for the docs. */
  readonly fires: string;
  /** A sentence for people. */
  readonly text: string;
  /** What a person does next, in one sentence. */
  readonly next: string;
}

const SECOND: Milliseconds = 1_000;
const MINUTE: Milliseconds = 60 * SECOND;
const DAY: Milliseconds = 86_400 * SECOND;

const duration = (value: number, says: string): Threshold => ({
  form: 'duration',
  value,
  least: SECOND,
  says,
});
const count = (
  value: number,
  says: string,
  least = 1,
  most: number = Number.MAX_SAFE_INTEGER,
): Threshold => ({
  form: 'count',
  value,
  least,
  most,
  says,
});
/** Octets of a name and of a label on the wire (RFC 1035 §2.3.4). */
const NAME_OCTETS = 255;
const LABEL_OCTETS = 63;
/** Sums of charges stay exact up to here. */
const MOST_OCTETS = 65_536;

/** By the finding's name. A key of the server file has `_` in place of `-`. */
export const DETECTED = {
  attempt: {
    severity: 'low',
    rises: 'medium',
    thresholds: {
      octets: {
        form: 'size',
        value: 128,
        least: 16,
        most: MOST_OCTETS,
        says: 'Denied questions under one registered domain that could have said so much in a day (default 128B).',
      },
      names: count(15, 'So many different long names make it medium (default 15).', 2, MOST_LONG_NAMES),
      length: count(
        24,
        'Octets in front of the registered domain that make a name long (default 24).',
        1,
        NAME_OCTETS,
      ),
      within: duration(5 * MINUTE, 'The time in which long names count together (default 5m).'),
    },
    fires:
      'denied questions under one registered domain could have said 128 octets in a day, by the code of the ledger; medium: 15 different names of 24 octets or more in front of it in 5 minutes',
    text: 'denied questions under one domain look like somebody sending data',
    next: 'look at the names and at the job that asked; where the domain is right, approve it, else end the job',
  },
  'out-of-band': {
    severity: 'high',
    thresholds: {},
    fires:
      'the first question for a name under a suffix of a service that exploit tools call home to, denied or not',
    text: 'a name of a service that exploit tools use to call home was asked for',
    next: 'take the job for compromised: keep its machine, and find what asked for the name',
  },
  sweep: {
    severity: 'medium',
    thresholds: {
      domains: count(
        50,
        'Different registered domains that are denied to one client (default 50).',
        2,
        MOST_DOMAINS,
      ),
      within: duration(10 * MINUTE, 'The time in which they count together (default 10m).'),
    },
    fires: 'one client is denied 50 different registered domains in 10 minutes',
    text: 'one client asks for many domains that are not approved',
    next: 'look whether the job is new to this policy; else find out what searches for a way out',
  },
  'nxdomain-storm': {
    severity: 'medium',
    thresholds: {
      questions: count(
        200,
        'Questions for approved names that the upstream answers with NXDOMAIN (default 200).',
        2,
      ),
      share: {
        form: 'count',
        value: 80,
        least: 1,
        most: 100,
        says: "Percent of the client's questions that these must be (default 80).",
      },
      within: duration(5 * MINUTE, 'The time in which they count together (default 5m).'),
    },
    fires:
      '200 questions of one client for approved names get NXDOMAIN from the upstream in 5 minutes, and they are 80 % of its questions',
    text: 'one client asks for many names under approved wildcards that do not exist',
    next: 'look at the names: made-up ones are a program that searches for its server, or a tunnel',
  },
  volume: {
    severity: 'low',
    thresholds: {
      for: duration(MINUTE, 'How long an identity is over its qps before it is told (default 60s).'),
      times: count(8, 'Times its own hourly median that are too much (default 8).', 2),
      qps: count(50, 'Questions a second up to which nothing is too much (default 50).'),
    },
    fires:
      'an identity is over its `qps` for 60 s; or over 8 times its own hourly median and over 50 questions a second',
    text: 'an identity asks far more than it does otherwise, or than it may',
    next: 'find the job that asks in a loop; where the load is right, raise qps: of the identity',
  },
  'near-miss': {
    severity: 'medium',
    thresholds: {
      length: count(
        6,
        'Octets of the longer of the two labels; shorter ones are alike by chance (default 6).',
        3,
        LABEL_OCTETS,
      ),
    },
    fires:
      'a denied name is one edit, one swap or one look-alike character away from the registered domain of a name that is approved for the identity; the longer label has 6 octets or more',
    text: 'a denied name looks like an approved one',
    next: 'compare it with the approved name: correct the slip where it stands, else look who put the name there',
  },
  'other-stage': {
    severity: 'medium',
    thresholds: {},
    fires: 'a denied name is approved at another stage of the same identity: once a name and lease',
    text: 'a name was asked for at a stage that does not approve it',
    next: 'move the step of the job to that stage, or approve the name at this one',
  },
  'after-end': {
    severity: 'medium',
    thresholds: {
      grace: duration(
        5 * SECOND,
        "Time after a lease's end in which questions are its last ones (default 5s).",
      ),
    },
    fires:
      "a denied, proven question comes from a claim in quarantine, or more than 5 s after its lease's end: once a lease",
    text: "a client asks after its job's end",
    next: 'look for a process that the job left behind on that machine, and end it',
  },
  'first-contact': {
    severity: 'low',
    thresholds: {
      history: duration(14 * DAY, 'How long an identity is known before new names are told (default 14d).'),
      leases: count(20, 'Leases that it must have had by then (default 20).', 0),
    },
    fires:
      'an identity asks for an approved name that it never used before, after 14 days and 20 leases of history',
    text: 'an approved name was used for the first time',
    next: 'look whether a change of the job explains it; else ask the owner',
  },
  'odd-type': {
    severity: 'low',
    thresholds: {
      txt: count(50, 'TXT questions of an identity in an hour up to which nothing is odd (default 50).'),
      times: count(8, 'Times its own share of TXT that are odd (default 8).', 2),
    },
    fires:
      'a question for NULL, KEY, WKS or a type for private use; or 50 TXT questions of an identity in an hour, at 8 times its own share: once a type and hour',
    text: 'a type was asked for that programs of a build have no use for',
    next: 'look which program asks: tunnels use these types',
  },
  dependency: {
    severity: 'operations',
    thresholds: {
      known: duration(DAY, 'A name counts that had an answer so lately (default 1d).'),
      for: duration(MINUTE, 'How long it fails before it is told (default 60s).'),
    },
    fires:
      'an approved name that had an answer within a day fails for 60 s, and is asked: SERVFAIL, NXDOMAIN or nothing; closed when it answers again',
    text: 'an approved name that had answers fails upstream',
    next: 'ask the owner of the destination, or use its fallback; the policy is not to blame',
  },
} as const satisfies Readonly<Record<string, KindRow>>;

export type Detected = keyof typeof DETECTED;

export const DETECTED_KINDS = Object.keys(DETECTED) as readonly Detected[];

/** Thresholds by kind; null for a kind that nobody looks for. */
export type Thresholds = {
  readonly [K in Detected]: { readonly [T in keyof (typeof DETECTED)[K]['thresholds']]: number } | null;
};

/** Of a kind, as an array: name and row of each threshold. */
export function thresholdsOf(kind: Detected): readonly (readonly [string, Threshold])[] {
  return Object.entries(DETECTED[kind].thresholds) as [string, Threshold][];
}

export const DEFAULT_THRESHOLDS = Object.fromEntries(
  DETECTED_KINDS.map((kind) => [
    kind,
    Object.fromEntries(thresholdsOf(kind).map(([name, { value }]) => [name, value])),
  ]),
) as unknown as Thresholds;

/** The key of the server file, and of an identity's `detect`. */
export function keyOfKind(kind: Detected): string {
  return kind.replaceAll('-', '_');
}
