import { parseAddress, parsePrefix } from '../../config/addresses.ts';
import { parseCertificate } from '../../config/policy/written-certificate.ts';
import { TextFault } from '../../config/problems.ts';
import { findAddress } from '../../policy/identity.ts';
import { covers, occupied, overlaps } from '../../policy/lease/lease-claim.ts';
import type { Identity } from '../../policy/snapshot.ts';
import type { Clock } from '../../resolve/ports.ts';
import { firstOf } from '../../wire/ip-address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Seconds } from '../../wire/quantity.ts';
import {
  type Caller,
  callerName,
  forbidden,
  judgeOpening,
  mayInspect,
  openerOf,
} from '../callers/callers.ts';
import { isClaim } from '../callers/jobs.ts';
import { Refusal } from '../http/refusal.ts';
import type { LeaseBook } from './lease-book.ts';
import { prefixFromText, prefixToText } from './lease-record.ts';
import { judgeTtl, type WantedLease } from './lease-rules.ts';

/** The body of a request for a lease. */
export interface OpenBody {
  readonly address?: string;
  readonly addresses?: readonly string[];
  readonly certificate?: string | null;
  readonly client?: string | null;
  readonly identity: string;
  readonly stage?: string | null;
  readonly source?: 'enforced' | null;
  readonly ttl?: Seconds;
  readonly job?: Readonly<Record<string, string | number | boolean>> | null;
}

/** The lease that a body asks for, checked in form and in rights. */
export function readOpening(
  body: OpenBody,
  caller: Caller,
  leases: LeaseBook,
  clock: Clock,
): WantedLease | Refusal {
  const owner = openerOf(caller);
  if (owner instanceof Refusal) return owner;
  const claim = readClaim(body, caller);
  if (claim instanceof Refusal) return claim;
  const identity = leases.identity(body.identity);
  if (identity === null) {
    // Whoever may do nothing for it does not learn whether it is there.
    const detail = `there is no identity ${body.identity}`;
    return mayInspect(caller, body.identity)
      ? Refusal.at('/identity', detail)
      : forbidden(`${callerName(caller)} may not open this lease`);
  }
  const stage = body.stage ?? identity.stages[0]?.name ?? null;
  const sourceEnforced = body.source === 'enforced';
  // Rights first: who may not open it learns neither stages nor terms.
  const refused =
    judgeOpening(caller, identity, { ...claim, stage, sourceEnforced }) ??
    judgeFirstStage(identity, stage) ??
    judgeTerms(body, identity, claim) ??
    judgeHome(caller, identity, occupied(claim), leases) ??
    judgeClient(identity, claim.client, leases);
  if (refused !== null) return refused;
  const job = caller.kind === 'job' ? caller.job : null;
  return {
    identity,
    stage,
    ...claim,
    sourceEnforced,
    ttl: body.ttl ?? identity.maxLease,
    job: jobFacts(body.job ?? null, job?.facts ?? null),
    by: callerName(caller),
    owner,
    used: job?.marks(clock.epoch()) ?? [],
  };
}

function judgeFirstStage({ name, stages }: Identity, stage: string | null): Refusal | null {
  if (stage === null || stages.some((one) => one.name === stage)) return null;
  const known = stages.map((one) => one.name).join(', ') || 'none';
  return Refusal.at('/stage', `${name} has no stage ${stage}; it has: ${known}`);
}

/**
 * Any process of this machine can call from any loopback address. So calling from an address that the policy gives to another
 * identity is no proof for a job: that stays the other's. An identity of the whole machine is everybody's fallback.
 */
function judgeHome(
  { kind }: Caller,
  { index }: Identity,
  addresses: readonly Prefix[],
  { snapshot }: LeaseBook,
): Refusal | null {
  if (kind !== 'job') return null;
  for (const prefix of addresses) {
    const other = findAddress(snapshot.addresses, firstOf(prefix));
    if (other < 0 || other === index) continue;
    const homes = snapshot.identities[other]!.addresses.map(prefixFromText);
    if (homes.some((home) => covers(home, prefix) && !covers(home, WHOLE_LOOPBACK)))
      return forbidden(`the policy gives ${prefixToText(prefix)} to another identity`);
  }
  return null;
}

const WHOLE_LOOPBACK = prefixFromText('127.0.0.0/8');

/**
 * A client is judged for its lease wherever it asks from. So nobody names an address that the policy gives to another identity:
 * that one would be cut off, and would be granted what it never asked.
 */
function judgeClient({ index }: Identity, client: Prefix | null, { snapshot }: LeaseBook): Refusal | null {
  if (client === null) return null;
  const text = prefixToText(client);
  if (UNJUDGED.some((net) => overlaps(net, client)))
    return Refusal.at(
      '/client',
      `no packet of a job comes from ${text}: write the address of the job itself`,
    );
  const other = findAddress(snapshot.addresses, firstOf(client));
  if (other < 0 || other === index) return null;
  return new Refusal('lease-conflict', `the policy gives ${text} to another identity`, [
    { pointer: '/client', detail: 'is an address of another identity' },
  ]);
}

/** This machine, no address yet, groups, and everybody. */
const UNJUDGED = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3', '::/127', 'ff00::/8'].map((text) =>
  prefixFromText(text),
);

function judgeTerms(
  body: OpenBody,
  identity: Identity,
  { certificate, addresses }: Pick<WantedLease, 'certificate' | 'addresses'>,
): Refusal | null {
  if (body.source === 'enforced' && addresses.length === 0) {
    return Refusal.at('/source', 'only an address can be enforced: write addresses too');
  }
  if (identity.proof === 'certificate' && certificate === null) {
    return Refusal.at('/certificate', `no address speaks for ${identity.name}: name the certificate`);
  }
  return judgeTtl(identity, body.ttl);
}

/** Whom the lease is to bind. A job that says nothing of it means the address that it calls from. */
function readClaim(
  { address, addresses, certificate: named, client: judged }: OpenBody,
  caller: Caller,
): Pick<WantedLease, 'addresses' | 'certificate' | 'client'> | Refusal {
  if (address !== undefined && addresses !== undefined) {
    return Refusal.at('/address', 'write address or addresses, not both');
  }
  const prefixes: Prefix[] = [];
  for (const [index, text] of (addresses ?? []).entries()) {
    const prefix = parsePrefix(text);
    if (prefix instanceof TextFault)
      return Refusal.at(`/addresses/${index}`, `${prefix.message}; ${prefix.fix}`);
    prefixes.push(prefix);
  }
  if (address !== undefined) {
    const prefix = readSingle(address, '/address');
    if (prefix instanceof Refusal) return prefix;
    prefixes.push(prefix);
  }
  const client = judged == null ? null : readSingle(judged, '/client');
  if (client instanceof Refusal) return client;
  const certificate = named === undefined || named === null ? null : parseCertificate(named);
  if (certificate instanceof Object)
    return Refusal.at('/certificate', `${certificate.message}; ${certificate.fix}`);
  if (certificate?.endsWith('/*'))
    return Refusal.at('/certificate', 'a lease binds one certificate: write it without *');
  if (prefixes.length === 0 && certificate === null) {
    if (caller.kind === 'job' && caller.from !== null)
      return { addresses: [caller.from], certificate, client };
    return Refusal.at('/addresses', 'write addresses, a certificate, or both');
  }
  return { addresses: prefixes, certificate, client };
}

/** One address, as a prefix of its whole length. */
function readSingle(text: string, pointer: string): Prefix | Refusal {
  const parsed = parseAddress(text);
  const prefix = parsed instanceof TextFault ? parsed : parsePrefix(text);
  return prefix instanceof TextFault ? Refusal.at(pointer, `${prefix.message}; ${prefix.fix}`) : prefix;
}

/** What is written of the job, and beside it what its own token says, which a job cannot write itself. */
function jobFacts(
  written: OpenBody['job'] | null,
  claimed: Readonly<Record<string, string>> | null,
): Readonly<Record<string, string>> | null {
  if (!written && claimed === null) return null;
  const texts = Object.entries(written ?? {})
    .filter(([name]) => claimed === null || !isClaim(name))
    .map(([name, value]) => [name, String(value)] as const);
  return { ...Object.fromEntries(texts), ...claimed };
}
