/** An admin room of its own, with a policy, a clock that a test moves, and a way to ask it. */

import { mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Admin, type AdminPorts } from '../../src/admin/admin.ts';
import type { HistoryDesk } from '../../src/admin/history/history-routes.ts';
import { socketAddress } from '../../src/admin/http/unix-socket.ts';
import type { LedgerDesk } from '../../src/admin/ledger/ledger-view.ts';
import { load } from '../../src/config/load.ts';
import { LONGEST_WAIT } from '../../src/detect/holder.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import type { JournalFault } from '../../src/journal/journal.ts';
import type { RequestAnswer } from '../../src/outbox/feed-messages.ts';
import { explain } from '../../src/policy/explain/explain.ts';
import { LeaseTable } from '../../src/policy/lease/lease.ts';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import type { Log, LogEvent, LogFields } from '../../src/report/log.ts';
import type { GrantOrder } from '../../src/resolve/grants/grant-line.ts';
import type { Clock } from '../../src/resolve/ports.ts';
import type { AdminSetting, ExceptionSetting } from '../../src/settings/settings.ts';
import { put } from '../config/harness.ts';

export const POLICY = `identities:
  - name: build
    owner: team-build
    review_by: 2090-01-01
    from: { addresses: [10.1.0.0/16] }
    max_lease: 1h
    allow: [{ name: always.example, reason: test }]
    claims:
      - { issuer: "https://ci.example", repository_id: "42" }
    stages:
      fetch: { allow: [{ name: fetch.example, reason: test }] }
      compile: { only: [] }
      release: { allow: [{ name: release.example, reason: test }] }
  - name: steady
    owner: team-steady
    review_by: 2090-01-01
    from: { addresses: [10.2.0.0/16] }
    quarantine: 10m
    self_advance: true
    claims:
      - { issuer: "https://ci.example", project_id: 7 }
    stages:
      one: { only: [] }
      two: { only: [] }
  - name: proven
    owner: team-proven
    review_by: 2090-01-01
    proof: certificate
    from: { certificates: ["spiffe://ci.example/proven"] }
`;

/** A clock that goes only when a test says so; it begins on 2026-11-20. */
export class TestClock implements Clock {
  /** Milliseconds. */
  mono = 5_000;
  /** Seconds. */
  wall = Date.UTC(2026, 10, 20) / 1000;

  monotonic(): number {
    return this.mono;
  }

  epoch(): number {
    return this.wall;
  }

  pass(seconds: number): void {
    this.mono += seconds * 1000;
    this.wall += seconds;
  }
}

export interface Line {
  readonly level: string;
  readonly event: LogEvent;
  readonly fields: LogFields;
}

export class TestLog implements Log {
  readonly lines: Line[] = [];
  readonly dropped = 0;

  debug(event: LogEvent, _text: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'debug', event, fields });
  }

  info(event: LogEvent, _text: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', event, fields });
  }

  warn(event: LogEvent, _text: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', event, fields });
  }

  error(event: LogEvent, _text: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', event, fields });
  }

  flush(): void {}
  close(): void {}

  count(event: LogEvent): number {
    return this.lines.filter((line) => line.event === event).length;
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // A test looks into it as it likes.
  readonly body: Record<string, unknown>;
}

/** A leak ledger of which nothing is written down, or whose disk is full. */
export class TestDesk implements LedgerDesk {
  readonly ledger = new Ledger();
  tick = LONGEST_WAIT;
  fault: JournalFault | null = null;
  written = 0;

  async writeAll(): Promise<JournalFault | null> {
    this.written++;
    return this.fault;
  }
}

export interface HouseOptions {
  readonly setting?: AdminSetting;
  readonly policy?: string;
  readonly folder?: string;
  readonly clock?: TestClock;
  readonly exceptions?: ExceptionSetting;
  /** What the firewall has granted; without it there is no firewall. */
  readonly granted?: readonly GrantOrder[];
}

/** The room, running. A test stops it by `close`; what it did not stop is stopped when the test ends. */
export class House {
  readonly folder: string;
  readonly clock: TestClock;
  readonly log = new TestLog();
  readonly table = new LeaseTable();
  readonly ended: string[] = [];
  /** The leases that explanations were asked for; null for an identity. */
  readonly explained: (string | null)[] = [];
  /** What `/ready` would be told of the journal. */
  readonly troubles: (string | null)[] = [];
  readonly damages: string[] = [];
  /** What the alert feed answers. */
  alertAnswer: RequestAnswer = 'there is none here';
  /** What the history answers. */
  historyAnswer: HistoryDesk['ask'] = async () => 'there is none here';
  readonly desk = new TestDesk();
  readonly admin: Admin;
  snapshot: Snapshot;
  policy: string;
  readonly #options: HouseOptions;

  constructor(folder: string, options: HouseOptions) {
    this.folder = folder;
    this.#options = options;
    this.clock = options.clock ?? new TestClock();
    this.policy = options.policy ?? POLICY;
    this.snapshot = this.compile().snapshot!;
    const ports: AdminPorts = {
      ledger: this.desk,
      alerts: { status: async () => null, request: async () => this.alertAnswer },
      history: { ask: async (question) => this.historyAnswer(question) },
      ...(options.granted === undefined ? {} : { grants: { grants: () => options.granted! } }),
      countsOf: (lease) => ({ allow: lease.length, deny: 0 }),
      withoutTcp: (prefixes) => prefixes.map(({ words, length }) => `${words[0]}/${length}`),
      explain: (name, stageName, lease, wire, type) => {
        this.explained.push(lease);
        const identity = this.snapshot.identities.find((each) => each.name === name)!;
        const stage = identity.stages.find((each) => each.name === stageName) ?? null;
        return explain(this.snapshot, identity, stage, wire, type, this.clock.epoch());
      },
      leaseEnded: (lease) => void this.ended.push(lease),
      recompile: async () => {
        const { snapshot, problems } = this.compile();
        if (snapshot !== null) this.swap(snapshot);
        return { inForce: snapshot !== null, problems };
      },
      readiness: {
        ready: true,
        report: () => ({ audit: [{ identity: 'secret-audit' }] }),
        journalTrouble: (text) => void this.troubles.push(text),
        journalDamaged: (text) => void this.damages.push(text),
      },
    };
    this.admin = new Admin({
      setting: this.setting,
      state: join(folder, 'state'),
      exceptions: options.exceptions ?? { maxTtl: 7 * 86_400 },
      snapshot: this.snapshot,
      leases: this.table,
      clock: this.clock,
      log: this.log,
      ports,
    });
  }

  get setting(): AdminSetting {
    return this.#options.setting ?? { kind: 'unix', path: join(this.folder, 'state', 'admin.sock') };
  }

  compile(): ReturnType<typeof load> {
    put(this.folder, {
      'namegate.yaml':
        'listen: [udp://127.0.0.1:5300]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\n',
      'policy.yaml': this.policy,
    });
    const exceptions = this.admin?.exceptions ?? [];
    return load(join(this.folder, 'namegate.yaml'), {
      env: {},
      now: this.clock.epoch(),
      salt: 1,
      exceptions,
    });
  }

  swap(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.admin.configure(snapshot, this.setting, this.#options.exceptions ?? { maxTtl: 7 * 86_400 });
  }

  async start(): Promise<this> {
    await this.admin.open();
    await this.admin.start();
    return this;
  }

  close(): Promise<void> {
    return this.admin.close();
  }

  /** One request. `body` is sent as JSON, a text as it is. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    from?: string,
  ): Promise<Reply> {
    return askAt(this.admin.urls[0]!, method, path, body, headers, from);
  }
}

export async function house(t: Test, options: HouseOptions = {}): Promise<House> {
  const folder = options.folder ?? t.testdir({});
  mkdirSync(folder, { recursive: true });
  const made = new House(folder, options);
  t.teardown(() => made.close());
  return made.start();
}

export function askAt(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  /** The address to ask from, on HTTP. */
  from?: string,
): Promise<Reply> {
  const socket = url.startsWith('unix:') ? socketAddress(url.slice('unix:'.length)) : null;
  const where = socket
    ? { socketPath: socket.path }
    : { host: new URL(url).hostname.replace(/^\[|\]$/g, ''), port: new URL(url).port };
  const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
  const type =
    text === null
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
  return new Promise<Reply>((resolve, reject) => {
    const sent = request(
      {
        ...where,
        ...(from === undefined ? {} : { localAddress: from }),
        method,
        path,
        headers: { ...type, ...headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const received = Buffer.concat(chunks).toString();
          const parsed: unknown = received === '' ? {} : JSON.parse(received);
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: parsed as Record<string, unknown>,
          });
        });
      },
    );
    sent.on('error', reject);
    sent.end(text ?? undefined);
  }).finally(() => socket?.release());
}
