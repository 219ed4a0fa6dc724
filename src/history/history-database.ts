import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../database/database.ts';

/**
 * The history: the account of each lease, in one SQLite database of the state folder. docs/history.md describes the tables;
 * whoever reads them is told so by `user_version`.
 */

/** The database's name in the state folder. */
export const HISTORY_FILE = 'history.db';

/** What leads from one version to the next: the first makes an empty database version 1. */
const STEPS: readonly string[] = [
  `
  -- Leases; and where there is none, one for each identity, client and UTC day: then id is NULL.
  CREATE TABLE lease (
    number INTEGER PRIMARY KEY,
    id TEXT UNIQUE,
    identity TEXT NOT NULL,
    owner TEXT NOT NULL,
    -- Without a lease: the certificate's name, else the address, of IPv6 its /64. Of a lease: who asked first.
    client TEXT NOT NULL,
    -- Days since 1970, NULL of a lease.
    day INTEGER,
    -- JSON: { addresses: [], certificate }, NULL where nobody said.
    claim TEXT,
    -- JSON: keys and values that the lease's opener or the job's token said.
    job TEXT,
    -- Who opened it, for people; and a job's own key, else NULL.
    opener TEXT,
    holder TEXT,
    -- Milliseconds since 1970. Without a lease: of the first and the last question.
    opened INTEGER NOT NULL,
    ended INTEGER,
    -- 'ended' by somebody, 'expired' by its time; NULL while it lives.
    how TEXT,
    -- 1: the network drops forged sources of its addresses, says its opener.
    enforced INTEGER NOT NULL DEFAULT 0,
    -- Hash of the rules that its first question was decided by, 16 hexadecimal digits.
    policy TEXT NOT NULL,
    last INTEGER NOT NULL,
    -- Rows of names and rows of registered domains that it has.
    names INTEGER NOT NULL DEFAULT 0,
    domains INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 1,
    -- Why it is not complete, as a sentence.
    missing TEXT,
    -- When somebody read its report last. 0: nobody did in time, and that was told.
    reported INTEGER
  ) STRICT;
  CREATE INDEX lease_of ON lease (identity, day, client);
  CREATE INDEX lease_last ON lease (last);

  -- Names in presentation form and lower case, without the last dot; 'reverse' has the labels the other way round, each behind a
  -- dot, so that all below a name stand side by side: 'a.b.example' is '.example.b.a'.
  CREATE TABLE name (
    number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, reverse TEXT NOT NULL
  ) STRICT;
  CREATE INDEX name_reverse ON name (reverse);

  -- Rules that decided: FILE:LINE with the pattern that stood there.
  CREATE TABLE rule (
    number INTEGER PRIMARY KEY,
    place TEXT NOT NULL,
    pattern TEXT NOT NULL,
    identity TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    -- Leases in which it decided.
    jobs INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX rule_of ON rule (identity, place, pattern);

  -- Rules in force for an identity at a stage: stage is empty where the identity has none.
  CREATE TABLE view (
    number INTEGER PRIMARY KEY, stage TEXT NOT NULL, policy TEXT NOT NULL, UNIQUE (stage, policy)
  ) STRICT;

  CREATE TABLE asked (
    number INTEGER PRIMARY KEY,
    lease INTEGER NOT NULL,
    name INTEGER NOT NULL,
    -- 0: this name. 1: names under it that had no row of their own. 2: names of domains that had none either.
    folded INTEGER NOT NULL,
    -- As a number of IANA's.
    type INTEGER NOT NULL,
    -- 'allow', 'local', 'empty', 'deny', 'contain'.
    verdict TEXT NOT NULL,
    -- 1: the identity is audited, and it was resolved all the same.
    audited INTEGER NOT NULL,
    -- 1: the client has proved its address.
    proven INTEGER NOT NULL,
    -- 1: the operator said beforehand that it is to be expected.
    expected INTEGER NOT NULL,
    ground TEXT NOT NULL,
    -- The stage that approves what this one refuses, or NULL.
    approved_stage TEXT,
    rule INTEGER,
    view INTEGER NOT NULL,
    -- Milliseconds since 1970.
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX asked_of ON asked (lease, name, type);
  CREATE INDEX asked_name ON asked (name);

  -- Addresses that a question was answered with. While 'current' is 1, every answer up to the question's 'last' held it.
  CREATE TABLE given (
    number INTEGER PRIMARY KEY,
    asked INTEGER NOT NULL,
    address TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    current INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX given_of ON given (asked, address);
  CREATE INDEX given_address ON given (address);

  -- Where the shared table of counts has a question, and how much of its count is in 'asked' already.
  CREATE TABLE entry (
    number INTEGER PRIMARY KEY, generation INTEGER NOT NULL, asked INTEGER NOT NULL, counted INTEGER NOT NULL
  ) STRICT;

  -- What the writer has to know at its next start.
  CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- What people read: one row a question, with all that belongs to it.
  CREATE VIEW question AS
    SELECT
      asked.number AS number, lease.number AS account, lease.id AS lease, lease.identity AS identity, lease.client AS client,
      lease.job AS job, lease.day AS day, name.text AS name, name.reverse AS reverse, asked.folded AS folded,
      asked.type AS type, asked.verdict AS verdict, asked.audited AS audited, asked.proven AS proven,
      asked.expected AS expected, asked.ground AS ground, asked.approved_stage AS approved_stage,
      rule.place AS rule, rule.pattern AS pattern, view.stage AS stage, view.policy AS policy,
      asked.first AS first, asked.last AS last, asked.count AS count
    FROM asked
      JOIN lease ON lease.number = asked.lease
      JOIN name ON name.number = asked.name
      JOIN view ON view.number = asked.view
      LEFT JOIN rule ON rule.number = asked.rule;
  CREATE VIEW answer AS
    SELECT
      given.address AS address, given.first AS first,
      CASE WHEN given.current = 1 THEN MAX(given.last, asked.last) ELSE given.last END AS last,
      asked.number AS question
    FROM given JOIN asked ON asked.number = given.asked;
  `,
  `
  -- Of all that the rule says, 16 hexadecimal digits: an edited line is another rule. Empty for those of before.
  ALTER TABLE rule ADD COLUMN hash TEXT NOT NULL DEFAULT '';
  DROP INDEX rule_of;
  CREATE UNIQUE INDEX rule_of ON rule (identity, place, pattern, hash);
  `,
  `
  -- Places that a client tried to connect to, and that the firewall refused. 'address' is empty for many that are not told apart.
  CREATE TABLE refused (
    number INTEGER PRIMARY KEY,
    lease INTEGER NOT NULL,
    address TEXT NOT NULL,
    protocol TEXT NOT NULL,
    -- 0 for none.
    port INTEGER NOT NULL,
    proven INTEGER NOT NULL,
    -- The name that the address was granted with last, to anybody, or NULL.
    name TEXT,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    count INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX refused_of ON refused (lease, address, protocol, port, proven);
  `,
  `
  -- Number of its first row of 'asked', NULL for none: whoever looks for a time begins there.
  ALTER TABLE lease ADD COLUMN begin INTEGER;
  UPDATE lease SET begin = (SELECT min(number) FROM asked WHERE lease = lease.number);
  `,
];

/** The version that this namegate writes, as `PRAGMA user_version`. */
export const HISTORY_VERSION = STEPS.length;

const CACHE = 8 * 2 ** 20;
const PRAGMAS = 'PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = NORMAL;';

/** Opens the history to write it, and makes or migrates what is in it. Throws a DatabaseRefusal. */
export function openHistory(path: string): DatabaseSync {
  return openDatabase(path, { steps: STEPS, pragmas: PRAGMAS, cache: CACHE });
}
