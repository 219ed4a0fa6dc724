/** Makes a policy that shows a fault smaller, as long as it shows it. */
import type { Destination, Entry, Identity, Policy, Rule, Terms } from './policy.ts';

/** Tries every smaller policy once more after each success; `shows` is asked at most `tries` times. */
export async function shrink(
  policy: Policy,
  shows: (policy: Policy) => boolean | Promise<boolean>,
  tries = 4000,
): Promise<Policy> {
  let best = policy;
  let left = tries;
  for (let improved = true; improved; ) {
    improved = false;
    for (const smaller of smallerOnes(best)) {
      if (left-- <= 0) return best;
      if (!(await shows(smaller))) continue;
      best = smaller;
      improved = true;
      break;
    }
  }
  return best;
}

function* smallerOnes(policy: Policy): Generator<Policy> {
  const { destinations, identities, records, redirects } = policy;
  for (const fewer of without(identities)) yield { ...policy, identities: fewer };
  for (const [at, { name }] of destinations.entries()) {
    const left = identities.map((identity) => withoutEntries(identity, name));
    yield { ...policy, destinations: destinations.toSpliced(at, 1), identities: left };
  }
  for (const fewer of without(redirects)) yield { ...policy, redirects: fewer };
  for (const fewer of without(records)) {
    const names = new Set(fewer.map(({ name }) => name));
    // Redirects may lead to redirects that are left out by this.
    yield {
      ...policy,
      records: fewer,
      redirects: redirects.filter(({ to }) => names.has(to) || to === 'elsewhere.test'),
    };
  }
  for (const [at, destination] of destinations.entries()) {
    for (const smaller of smallerDestinations(destination))
      yield { ...policy, destinations: destinations.with(at, smaller) };
  }
  for (const [at, identity] of identities.entries()) {
    for (const smaller of smallerIdentities(identity))
      yield { ...policy, identities: identities.with(at, smaller) };
  }
}

function* without<T>(list: readonly T[]): Generator<T[]> {
  if (list.length > 3) {
    yield list.slice(list.length >> 1);
    yield list.slice(0, list.length >> 1);
  }
  for (let at = 0; at < list.length; at++) yield list.toSpliced(at, 1);
}

function withoutEntries(identity: Identity, destination: string): Identity {
  const others = (entries: readonly Entry[]): Entry[] => entries.filter((entry) => entry !== destination);
  return {
    ...identity,
    allow: others(identity.allow),
    stages: identity.stages.map((stage) => ({ ...stage, entries: others(stage.entries) })),
  };
}

function* smallerDestinations(destination: Destination): Generator<Destination> {
  for (const names of without(destination.names)) yield { ...destination, names };
  for (const list of without(destination.list)) yield { ...destination, list };
  for (const bare of withoutTerms(destination)) yield bare;
  for (const [at, rule] of destination.names.entries()) {
    for (const bare of withoutTerms(rule)) yield { ...destination, names: destination.names.with(at, bare) };
  }
}

function* smallerIdentities(identity: Identity): Generator<Identity> {
  for (const allow of without(identity.allow)) yield { ...identity, allow };
  for (const stages of without(identity.stages)) yield { ...identity, stages };
  for (const exceptions of without(identity.exceptions)) yield { ...identity, exceptions };
  if (identity.addresses.length > 1)
    for (const addresses of without(identity.addresses)) yield { ...identity, addresses };
  if (identity.auditUntil !== undefined) {
    const { auditUntil: _, ...rest } = identity;
    yield rest;
  }
  for (const [at, rule] of identity.exceptions.entries()) {
    // An exception without an end is none.
    for (const bare of withoutTerms(rule))
      if (bare.until !== undefined) yield { ...identity, exceptions: identity.exceptions.with(at, bare) };
  }
  for (const [at, stage] of identity.stages.entries()) {
    for (const entries of without(stage.entries))
      yield { ...identity, stages: identity.stages.with(at, { ...stage, entries }) };
  }
  for (const [at, entry] of identity.allow.entries()) {
    if (typeof entry === 'string') continue;
    for (const bare of withoutTerms(entry)) yield { ...identity, allow: identity.allow.with(at, bare) };
  }
}

function* withoutTerms<T extends Terms & Partial<Rule>>(holder: T): Generator<T> {
  for (const key of ['types', 'until', 'private', 'maxLabels', 'maxLabelLength'] as const) {
    if (holder[key] === undefined) continue;
    const { [key]: _, ...rest } = holder;
    yield rest as T;
  }
}
