import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPolicyOnly } from '../src/config/load.ts';
import { Ledger } from '../src/detect/ledger.ts';
import { decide } from '../src/policy/decide/decide.ts';
import { findAddress } from '../src/policy/identity.ts';
import type { Bound } from '../src/policy/lease/bound.ts';
import { Credential } from '../src/resolve/client/credential.ts';
import { buildInForce, type InForce, type InForceParts } from '../src/resolve/in-force.ts';
import { Charges } from '../src/resolve/ledger/charges.ts';
import type { Departures } from '../src/resolve/ledger/departures.ts';
import type { Client } from '../src/resolve/ports.ts';
import { Turn } from '../src/resolve/story/turn.ts';
import { readQuery } from '../src/wire/question.ts';
import { quantile, table } from './figures.ts';
import { question } from './messages.ts';
import type { Stage } from './stage.ts';

/** A name of 100 octets in wire form, new with each charge: the digits at its beginning count. */
const NAME = `${'0'.repeat(12)}${'x'.repeat(40)}.${'y'.repeat(35)}.t.example`;
/** As much as so slow a client needs that its window slides: what is refused would cost less. */
const POLICY = `
identities:
  - name: bench
    owner: bench
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1, "2001:db8::/32"] }
    allow: [{ name: "**.t.example", reason: bench, budget: { alert: 16KiB, contain: 32KiB } }]
`;
const CERTIFICATE = 'dns:job.ci.example';
/** Ticks between two charges: some 220 are in a window. */
const WAIT = 45_000;
/** Tick at which it begins anew: ticks of hundreds of days would be no small integers. */
const LAST = 1.5e9;
const FIRST = 10_000_000;

/** The ledger behind the stages: what is charged leaves at once, and is written nowhere. */
export function benchCharges(): Charges {
  return new Charges(new Ledger(), new Ticks(), new Uint8Array(16));
}

class Ticks implements Departures {
  tick = FIRST;

  note(): void {}

  leave(_order: number, go: () => void): void {
    go();
  }
}

/** Charges of one client, each for a new name of 100 octets. */
class Charging {
  readonly #ticks = new Ticks();
  #charges = new Charges(new Ledger(), this.#ticks, new Uint8Array(16));
  readonly #turn: Turn;

  constructor(inForce: InForce, client: Client, bound: Bound | null) {
    const turn = new Turn(inForce);
    this.#turn = turn;
    turn.readClock(1000, Date.now() / 1000);
    turn.begin(inForce, client, Buffer.alloc(512));
    const { snapshot, standings } = inForce;
    const owner = findAddress(snapshot.addresses, client);
    turn.asker.standing = standings.at(owner);
    turn.asker.view = turn.asker.standing.identity.view;
    turn.asker.bound = bound;
    const message = question(NAME);
    readQuery(message, message.length, turn.query);
    decide(snapshot, turn.asker.view, turn.query, 1, false, turn.epoch, turn.decision);
    turn.wanted.name = turn.query.name;
    turn.wanted.nameLength = turn.query.nameLength;
  }

  charge(): boolean {
    const { name } = this.#turn.wanted;
    // The first label is digits: it counts up.
    for (let at = 12; at > 0; at--) {
      if (name[at]! < 0x39) {
        name[at]!++;
        break;
      }
      name[at] = 0x30;
    }
    this.#ticks.tick += WAIT;
    if (this.#ticks.tick > LAST) {
      this.#ticks.tick = FIRST;
      this.#charges = new Charges(new Ledger(), this.#ticks, new Uint8Array(16));
    }
    return this.#charges.isCharged(this.#turn) && this.#charges.charge(this.#turn);
  }
}

/** By who pays. */
function chargings(
  folder: string,
  parts: Omit<InForceParts, 'snapshot'>,
  client: Client,
): [string, Charging][] {
  const at = join(folder, 'ledger');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'policy.yaml'), POLICY);
  const { snapshot, problems } = loadPolicyOnly(join(at, 'policy.yaml'), {
    env: {},
    now: Date.now() / 1000,
    salt: 1,
  });
  if (snapshot === null) throw new Error(JSON.stringify(problems));
  const inForce = buildInForce({ ...parts, snapshot }, [{ zones: [] }], null);
  const six = { ...own(client), family: 6 as const, w0: 0x2001_0db8, w1: 0, w2: 0, w3: 1 };
  const certified = Object.assign(own(six), { credential: new Credential([CERTIFICATE, 'sha256:00'], null) });
  const lease = {
    identity: 'bench',
    stage: null,
    lease: '0123456789abcdef0123456789abcdef',
    endsAt: Number.POSITIVE_INFINITY,
    claims: ['192.0.2.1', '2001:db8::1'],
    job: null,
    sourceEnforced: true,
  };
  return [
    ['an address of IPv4', new Charging(inForce, client, null)],
    ['an address of IPv6', new Charging(inForce, six, null)],
    ['a certificate', new Charging(inForce, certified, null)],
    ['a lease of two addresses', new Charging(inForce, six, lease)],
    ['a lease on a certificate', new Charging(inForce, certified, { ...lease, certificate: CERTIFICATE })],
  ];
}

/** Its fields and what it has from its class. */
function own(client: Client): Client {
  return Object.assign(Object.create(Object.getPrototypeOf(client)) as Client, client);
}

/** What the ledger adds to a question that leaves because of a wildcard. */
export function ledgerStages(folder: string, parts: Omit<InForceParts, 'snapshot'>, client: Client): Stage[] {
  return chargings(folder, parts, client).map(([who, charging]) => ({
    name: `charge, a new name of 100 octets, ${who}`,
    run(count) {
      let paid = 0;
      for (let i = 0; i < count; i++) if (charging.charge()) paid++;
      if (paid < count) throw new Error('a charge was refused');
      return paid;
    },
  }));
}

/** One charge after another, each timed by itself: what two readings of the clock take is taken off. As a table. */
export function chargeQuantiles(
  folder: string,
  parts: Omit<InForceParts, 'snapshot'>,
  client: Client,
): string {
  const rows = chargings(folder, parts, client).map(([who, charging]) => {
    const times = new Float64Array(100_000);
    const idle = new Float64Array(20_000);
    for (let i = 0; i < times.length; i++) charging.charge();
    for (let i = 0; i < idle.length; i++) {
      const began = performance.now();
      idle[i] = (performance.now() - began) * 1e6;
    }
    for (let i = 0; i < times.length; i++) {
      const began = performance.now();
      charging.charge();
      times[i] = (performance.now() - began) * 1e6;
    }
    const clock = quantile(idle.sort(), 0.5);
    times.sort();
    return [who, ...[0.5, 0.99].map((q) => Math.max(0, quantile(times, q) - clock).toFixed(0))];
  });
  return table([['a charge of a new name of 100 octets', 'p50 ns', 'p99 ns'], ...rows]);
}
