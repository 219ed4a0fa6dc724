/**
 * One slot of the ring: 512 octets, numbers and one copied name. The ring's own header stands in front of the slots, with
 * counts of what it could not take. All numbers are little endian, as the machines are that share the memory.
 */

export const SLOT_SIZE = 512;
/** Slots of a ring: 16 MiB, or 1.6 s of 20,000 events a second. */
export const SLOTS = 32_768;

/** Octets of the ring's header, and of the rows of losses behind it. */
export const HEADER_SIZE = 4_096;
export const LOSS_ROWS = 1_024;
export const LOSS_SIZE = 128;
export const SLOTS_AT = HEADER_SIZE + LOSS_ROWS * LOSS_SIZE;
export const RING_SIZE = SLOTS_AT + SLOTS * SLOT_SIZE;

/** `ngr` and the version of this layout. */
export const MAGIC = 0x0172_676e;

/** Words of the header. */
export const HEADER = {
  MAGIC: 0,
  /** Drawn when the file is made: who remembers a position in it knows it again by these. */
  ID_LOW: 1,
  ID_HIGH: 2,
  /** Positions modulo 2^32: the first that is not committed yet, written by the reader, */
  READ: 3,
  /** and where the writer of this run began. */
  START: 4,
} as const;

/** What a slot holds. */
export const RECORD = {
  /** A question that was decided. */
  DECISION: 1,
  /** Something that a person should know of a question. */
  FINDING: 2,
  /** A part of a word: the text that a number stands for from here on. */
  WORD: 3,
  /** A part of a text in JSON that is not one question. */
  NOTE: 4,
  /** What the ring could not take, of one identity. */
  LOSS: 5,
  /** Numbers of words begin anew. */
  FORGET: 6,
  /** A question that is counted in an entry of the table of counts from here on. */
  ASKED: 7,
  /** The addresses that such a question is answered with from here on. */
  GIVEN: 8,
  /** What became of an approved question upstream: for detectors alone. */
  OUTCOME: 9,
} as const;

/** Octets of a slot, from its beginning. The sequence, its position + 1, is written last. */
export const AT = {
  SEQUENCE: 0,
  RECORD: 4,
  /** Index of the kind; of a finding its code. */
  KIND: 5,
  VERDICT: 6,
  GROUND: 7,
  RCODE: 8,
  TRANSPORT: 9,
  FLAGS: 10,
  NAME_LENGTH: 11,
  TYPE: 12,
  PORT: 14,
  /** Milliseconds since 1970, 64 bits. */
  TIME: 16,
  /** Numbers of words, 0 for none. */
  IDENTITY: 24,
  OWNER: 28,
  STAGE: 32,
  LEASE: 36,
  JOB: 40,
  POLICY: 44,
  FILE: 48,
  LINE: 52,
  CERTIFICATE: 56,
  /** Of what stands at EXTRA: how many addresses, or octets of the culprit. */
  EXTRA_COUNT: 60,
  /** Of a decision: 1 where detectors are not to hear it, since it is one of a flood. */
  UNHEARD: 61,
  /** Of a decision: questions of its client under its domain that it stands for besides, 16 bits. */
  MORE: 62,
  CLIENT: 64,
  /** Of a finding the word of another identity, of a decision that of the stage which approves what is refused. */
  OTHER: 80,
  /** Of given addresses: the entry of their question and its generation. */
  ENTRY: 84,
  GENERATION: 88,
  NAME: 96,
  EXTRA: 352,
} as const;

/** Of a question that is counted: what stands at EXTRA. */
export const ASKED = {
  ENTRY: AT.EXTRA,
  GENERATION: AT.EXTRA + 4,
  /** What the entry held before: its generation, count and the time of the last question, 64 bits. */
  OLD_GENERATION: AT.EXTRA + 8,
  OLD_COUNT: AT.EXTRA + 12,
  OLD_LAST: AT.EXTRA + 16,
  /** 0: it is the name's own. 1: that of the name's registered domain. 2: of all names that have no other. */
  FOLDED: AT.EXTRA + 24,
  /** 1: an audit let it through. */
  AUDITED: AT.EXTRA + 25,
  /** 1: there are so many clients that this one is not told apart. */
  OTHERS: AT.EXTRA + 26,
  /** The word of its rule's pattern. */
  PATTERN: AT.EXTRA + 28,
} as const;

/** Of an outcome: what stands at EXTRA. */
export const OUTCOME = {
  /** Index of OUTCOMES. */
  STATE: AT.EXTRA,
  /** The low octet of the upstream group's number; and 1 for what came from there just now, and out of no cache. */
  GROUP: AT.EXTRA + 1,
  FRESH: AT.EXTRA + 2,
  /** Outcomes of this kind, client and name that it stands for, and all questions of its client since the last. */
  COUNT: AT.EXTRA + 4,
  QUESTIONS: AT.EXTRA + 8,
  /** The word of who answers for the rule, and what people do while the name fails, in JSON. */
  DESTINATION: AT.EXTRA + 12,
} as const;

/** `empty`: NOERROR without data. `failed`: SERVFAIL, nothing, or data that is no longer fresh, since nobody has better. */
export const OUTCOMES = ['good', 'missing', 'failed', 'empty'] as const;

/** Octets at EXTRA: eight addresses of 17 octets, or the end of a culprit. */
export const EXTRA_SIZE = SLOT_SIZE - AT.EXTRA;
export const ADDRESS_SIZE = 17;
export const MAX_ADDRESSES = 8;

export const FLAG_BIT = {
  PROVEN: 1,
  /** The client's address is IPv6. */
  SIX: 2,
  /** EXTRA holds addresses. */
  ADDRESSES: 4,
  /** EXTRA holds the address that a finding is about, */
  CULPRIT_ADDRESS: 8,
  /** or the wire name, */
  CULPRIT_NAME: 16,
  /** which has lost its first labels. */
  CUT: 32,
  /** The identity expects to be denied this. */
  EXPECTED: 64,
  /** A quarantine has the client: its lease has ended. */
  QUARANTINE: 128,
} as const;

/** Of a part of a word or note. */
export const PART = {
  NUMBER: 12,
  INDEX: 16,
  COUNT: 18,
  LENGTH: 20,
  TEXT: 24,
} as const;

export const PART_SIZE = SLOT_SIZE - PART.TEXT;

/** Of a row of losses, and of the record that is made of it: counts by kind, the times, the identity's name. */
export const LOSS = {
  /** Position of the record that tells of the row, + 1; 0 while there is none. */
  TOLD: 0,
  NAME_LENGTH: 4,
  FROM: 8,
  TO: 16,
  COUNTS: 24,
  NAME: 64,
} as const;

/** Counters of a row: one for each kind, in the order of KINDS. */
export const LOSS_COUNTS = 9;
export const LOSS_NAME_SIZE = LOSS_SIZE - LOSS.NAME;
/** Where a record of a loss has the row. */
export const LOSS_AT = 128;

export const NO_RCODE = 0xff;

export const TRANSPORTS = ['udp', 'tcp', 'tls'] as const;

/** Findings that a slot can hold, by their code. A new one is added at the end. */
export const SLOT_FINDINGS = [
  'private-address',
  'unapproved-target',
  'identity-disagreement',
  'certificate-of-nobody',
  'certificate-of-two',
] as const;

export type SlotFinding = (typeof SLOT_FINDINGS)[number];
