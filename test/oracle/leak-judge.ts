/** What a client may be given under a policy, and what may be asked upstream for its sake, slowly. */
import type { Message, Rec } from '../server/message.ts';
import { SlowLeases, type Who } from './leak-leases.ts';
import { ASKERS } from './leak-story.ts';
import { LIE_ADDRESS, LIE_ZONES, type True, truth } from './leak-world.ts';
import { FOREVER, isUnder, labelsOf, type Name, nameOf, ROOT, toText } from './names.ts';
import type { Policy } from './policy.ts';
import {
  approvesName,
  decideSlowly,
  isNonTerminal,
  isSpecial,
  staysInside,
  type Verdict,
  type View,
  viewOf,
} from './reference.ts';

export interface Asked {
  readonly asker: number;
  readonly name: Name;
  readonly type: string;
  readonly edns: boolean;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** A chain that was given to a validator: for a while it may ask for DS and DNSKEY of its targets. */
interface Trusted {
  readonly target: Name;
  /** Milliseconds of the test's clock. */
  readonly until: number;
  /** Who it was given to, and what that one could resolve then. */
  readonly rights: string;
}

const TRUST_MS = 300_000;

/** Knows the policy in force and the time, and what was given to whom. */
export class Judge {
  now = 0;
  /** Seconds since 1970. */
  epoch = 0;
  readonly leases = new SlowLeases();
  #policy!: Policy;
  /** By identity and stage, under the policy in force. */
  #views = new Map<string, { readonly view: View; readonly rights: string }>();
  #trusted: Trusted[] = [];

  set policy(policy: Policy) {
    this.#policy = policy;
    this.#views = new Map();
  }

  #who(asker: number): Who {
    return this.leases.who(this.#policy, asker, this.now);
  }

  #viewOf({ identity, stage }: Pick<Who, 'identity' | 'stage'>): {
    readonly view: View;
    readonly rights: string;
  } {
    const key = `${identity?.name} ${stage}`;
    let known = this.#views.get(key);
    if (known === undefined) {
      const view = viewOf(this.#policy, identity, stage);
      known = { view, rights: JSON.stringify([identity?.name, view.rules, identity?.auditUntil]) };
      this.#views.set(key, known);
    }
    return known;
  }

  #view(asker: number): View {
    return this.#viewOf(this.#who(asker)).view;
  }

  #verdict({ asker, name, type, dnssecOk, checkingDisabled }: Asked): Verdict {
    return decideSlowly(this.#view(asker), name, type, dnssecOk || checkingDisabled, this.epoch);
  }

  /** The name that may be asked upstream, with the question's own type, for this question now; null for none. */
  upstreamOf(asked: Asked): Name | null {
    const { verdict } = this.#verdict(asked);
    const { name, type } = asked;
    if (type === 'ANY') return null;
    switch (verdict) {
      case 'allow':
        return name;
      case 'local':
        return isSpecial(name) || type === 'CNAME' ? null : this.#redirected(name);
      default:
        return this.#isTrust(asked) || (this.#audited(asked) && !staysInside(name)) ? name : null;
    }
  }

  /** Whether an identity's own rules write the name out: renewal asks for such names without a client. */
  mayRenew(name: Name, type: string): boolean {
    return this.#policy.identities.some((identity) => {
      const { view } = this.#viewOf({ identity, stage: null });
      const { verdict, deciders } = decideSlowly(view, name, type, false, this.epoch);
      return verdict === 'allow' && deciders.some(({ kind }) => kind === 'exact' || kind === 'family');
    });
  }

  #audited({ asker }: Asked): boolean {
    return (this.#who(asker).identity?.auditUntil ?? 0) > this.epoch;
  }

  #isTrust({ asker, name, type, dnssecOk, checkingDisabled }: Asked): boolean {
    if (!(dnssecOk || checkingDisabled) || (type !== 'DS' && type !== 'DNSKEY')) return false;
    const { rights } = this.#viewOf(this.#who(asker));
    return this.#trusted.some(
      (one) =>
        one.until > this.now && one.rights === rights && (one.target === name || isUnder(one.target, name)),
    );
  }

  /** Where redirects from a local name end, if that is not here. */
  #redirected(name: Name): Name | null {
    let at = name;
    for (;;) {
      const redirect = this.#policy.redirects.find((one) => nameOf(one.name) === at);
      if (redirect === undefined) break;
      at = nameOf(redirect.to);
    }
    return at === name || this.#policy.records.some((record) => nameOf(record.name) === at) ? null : at;
  }

  /** What is wrong with a reply that was just given, or null. Remembers the chain that it gave. */
  judge(asked: Asked, reply: Message): string | null {
    const fault = this.#faultOf(asked, reply);
    if (fault === null) this.#remember(asked, reply);
    return fault;
  }

  #remember(asked: Asked, reply: Message): void {
    const { asker, type, dnssecOk, checkingDisabled } = asked;
    if (!(dnssecOk || checkingDisabled)) return;
    const truncated = (reply.flags & 0x200) !== 0;
    // What did not fit a datagram was given all the same: the client asks again over TCP.
    const chain = truncated
      ? truth(this.upstreamOf(asked) ?? ROOT, type).map(({ type, data }) => ({ type, data }))
      : reply.answer;
    const targets = chain.filter((record) => record.type === 'CNAME').map(({ data }) => nameOf(data));
    if (targets.length === 0) return;
    const { deciders, bound } = this.#verdict(asked);
    const who = this.#who(asker);
    const ends = bound ? deciders[0]!.until : (who.identity?.auditUntil ?? FOREVER);
    const until = Math.min(who.endsAt, this.now + Math.min(TRUST_MS, (ends - this.epoch) * 1000));
    this.#trusted = this.#trusted.filter((one) => one.until > this.now);
    const { rights } = this.#viewOf(who);
    for (const target of targets) this.#trusted.push({ target, until, rights });
  }

  #faultOf(asked: Asked, reply: Message): string | null {
    const { name, edns, dnssecOk } = asked;
    const all = [...reply.answer, ...reply.authority, ...reply.additional];
    for (const { owner, data } of all) {
      const about = nameOf(owner);
      if (data.includes(LIE_ADDRESS) || LIE_ZONES.some((zone) => about === zone || isUnder(about, zone)))
        return `a lie: ${owner} ${data}`;
    }
    if (reply.additional.length > 0) return 'additional records';
    if ((reply.opt !== null) !== edns) return 'OPT is there or not, unlike in the question';
    const signatures = all.filter(({ type }) => type === 'RRSIG' || type === 'NSEC' || type === 'NSEC3');
    if (!dnssecOk && signatures.length > 0) return 'signatures or proofs that nobody asked for';
    if (nameOf(reply.question?.name ?? 'none.') !== name) return 'another question';
    if (!['NOERROR', 'NXDOMAIN', 'SERVFAIL'].includes(reply.rcode)) return reply.rcode;

    const expected = this.#verdict(asked);
    const upstream = this.upstreamOf(asked);
    if (upstream === null) return this.#ownFault(asked, reply, expected);
    if (reply.rcode === 'SERVFAIL') return reply.answer.length > 0 ? 'SERVFAIL with an answer' : null;
    return this.#forwardedFault(asked, reply, expected, upstream);
  }

  /** A reply of our own: a denial, no data, or local data. */
  #ownFault(asked: Asked, reply: Message, { verdict, above, atOrAbove }: Verdict): string | null {
    const { name, type } = asked;
    const negative = verdict === 'deny' || verdict === 'empty';
    if (negative && !(asked.type === 'ANY' && this.#audited(asked) && !staysInside(name))) {
      if (reply.rcode !== (verdict === 'deny' ? 'NXDOMAIN' : 'NOERROR'))
        return `${verdict}, and ${reply.rcode}`;
      if (reply.answer.length > 0) return `${verdict}, and records`;
      if ((reply.flags & 0x400) === 0) return `${verdict} without AA`;
      const [soa] = reply.authority;
      const owner = verdict === 'deny' ? above : atOrAbove;
      if (reply.authority.length !== 1 || soa?.type !== 'SOA') return `${verdict} without one SOA`;
      return nameOf(soa.owner) === owner ? null : `the SOA of ${soa.owner}, not of ${toText(owner)}`;
    }
    if (reply.rcode !== 'NOERROR') return `${verdict}, and ${reply.rcode}`;
    if (type === 'ANY' && !isSpecial(name)) {
      const [record] = reply.answer;
      return record?.type === 'HINFO' && reply.answer.length === 1 ? null : 'ANY without HINFO';
    }
    return this.#localFault(asked, reply.answer);
  }

  /** Records of the policy, special names, `_why`. */
  #localFault({ asker, name, type }: Asked, answer: readonly Rec[]): string | null {
    if (isSpecial(name)) {
      if (name === nameOf('localhost'))
        return answer.every(({ data }) => data === '127.0.0.1' || data === '0:0:0:0:0:0:0:1')
          ? null
          : 'another localhost';
      // `_why` speaks of the asker alone.
      const own = this.#who(asker).identity?.name ?? 'unknown';
      const others = ASKERS.map((other) => other.name).filter((other) => other !== own);
      return answer.some(({ data }) =>
        others.some((other) => data.includes(`${other}-owner`) || data.includes(`for ${other}`)),
      )
        ? 'another identity is told of'
        : null;
    }
    let owner = name;
    for (const record of answer) {
      if (nameOf(record.owner) !== owner) return `a record of ${record.owner}`;
      const redirect = this.#policy.redirects.find((one) => nameOf(one.name) === owner);
      if (redirect !== undefined) {
        if (record.type !== 'CNAME' || nameOf(record.data) !== nameOf(redirect.to))
          return 'not the redirect of the policy';
        owner = nameOf(redirect.to);
        continue;
      }
      const known = this.#policy.records.some(
        (one) =>
          nameOf(one.name) === owner &&
          one.type === record.type &&
          one.data === record.data &&
          record.type === type,
      );
      if (!known) return `not the record of the policy: ${record.owner} ${record.type} ${record.data}`;
    }
    return null;
  }

  /** What came from an upstream: the chain from the question, the records at its end, their addresses and targets. */
  #forwardedFault(asked: Asked, reply: Message, expected: Verdict, upstream: Name): string | null {
    const { asker, name, type } = asked;
    const view = this.#view(asker);
    /** The redirects of the policy come first, and lead to what was asked upstream. */
    let redirecting = expected.verdict === 'local';
    const answer = reply.answer.filter((record) => record.type !== 'RRSIG');
    const records = truth(upstream, type);
    const isKept = ({ target, owner }: True): boolean =>
      target === null || target === owner || this.#audited(asked) || approvesName(view, target, this.epoch);
    const ours = (reply.flags & 0x400) !== 0 && answer.length === 0 && reply.rcode === 'NOERROR';
    if (ours && records.every((record) => this.#grants(expected, name, record, 'every') && isKept(record)))
      return 'withheld without a reason';
    let owner = name;
    for (const record of answer) {
      if (record.ttl > this.#longest(asker, expected)) return `a TTL of ${record.ttl} s`;
      const at = nameOf(record.owner);
      if (redirecting && at === owner && record.type === 'CNAME') {
        const redirect = this.#policy.redirects.find((one) => nameOf(one.name) === at);
        if (redirect === undefined || nameOf(record.data) !== nameOf(redirect.to))
          return 'not the redirect of the policy';
        owner = nameOf(redirect.to);
        redirecting = owner !== upstream;
        continue;
      }
      // The DNAME that a CNAME is made from stands above its owner.
      if (record.type === 'DNAME' && at === nameOf('w0.example') && isUnder(owner, at)) continue;
      if (at !== owner) return `${record.owner} ${record.type} is not of the chain`;
      const known = records.find(
        (one) => one.owner === at && one.type === record.type && sameData(one, record),
      );
      if (known === undefined) return `not true: ${record.owner} ${record.type} ${record.data}`;
      if (record.type === 'CNAME' && type !== 'CNAME') {
        owner = nameOf(record.data);
        continue;
      }
      if (record.type !== type) return `a record of type ${record.type}`;
      if (!this.#grants(expected, name, known, 'some')) return `a restricted address: ${record.data}`;
      if (!isKept(known)) return `it leads to ${toText(known.target!)}`;
    }
    for (const signature of reply.answer) {
      if (
        signature.type === 'RRSIG' &&
        !answer.some((record) => nameOf(record.owner) === nameOf(signature.owner))
      )
        return `a signature of ${signature.owner}`;
    }
    const chained = answer.some((record) => record.type === 'CNAME');
    if (reply.rcode === 'NXDOMAIN' && !chained && isNonTerminal(view, name, this.epoch))
      return 'NXDOMAIN of a name with something below it';
    return this.#authorityFault(reply, name, owner);
  }

  #authorityFault(reply: Message, name: Name, end: Name): string | null {
    for (const { owner, type, ttl } of reply.authority) {
      const at = nameOf(owner);
      if (ttl > 300) return `a TTL of ${ttl} s in authority`;
      if (['RRSIG', 'NSEC', 'NSEC3'].includes(type)) continue;
      if (type !== 'SOA') return `${type} in authority`;
      const above = at === ROOT || [name, end].some((one) => at === one || isUnder(one, at));
      if (!above) return `the SOA of ${owner}`;
    }
    return null;
  }

  /** Seconds that a TTL may have: 300, 30 for what is dynamic, and never longer than the rule or the lease. */
  #longest(asker: number, { deciders, bound }: Verdict): number {
    const { endsAt } = this.#who(asker);
    const leased = Number.isFinite(endsAt) ? Math.min(30, Math.floor((endsAt - this.now) / 1000)) : 300;
    const decider = deciders[0];
    if (!bound || decider === undefined) return leased;
    return Math.min(leased, decider.dynamic ? 30 : 300, Math.floor(decider.until - this.epoch));
  }

  /** Whether the rule, or the last redirect, grants the addresses of a record; where rules are equals, `some` or `every` one. */
  #grants(
    { verdict, deciders, bound }: Verdict,
    name: Name,
    { reach }: True,
    quantity: 'some' | 'every',
  ): boolean {
    if (reach.kind === 'public') return true;
    const fits = (granted: boolean | readonly string[]): boolean =>
      granted === true ? reach.kind === 'private' : granted !== false && granted.includes(reach.prefix);
    if (verdict !== 'local')
      return verdict === 'allow' && bound && deciders[quantity]((rule) => fits(rule.private));
    let at = name;
    let last: boolean | readonly string[] = false;
    for (;;) {
      const redirect = this.#policy.redirects.find((one) => nameOf(one.name) === at);
      if (redirect === undefined) return fits(last);
      last = redirect.private ?? false;
      at = nameOf(redirect.to);
    }
  }
}

function sameData({ type, data }: True, record: Rec): boolean {
  if (type === 'TXT') return record.data === JSON.stringify(data);
  // Names in RDATA may be written in the case of the question, into which they are compressed.
  if (type !== 'HTTPS') return record.data.toLowerCase() === data;
  // Shown as hexadecimal digits: priority, target, and perhaps one hint.
  const [priority = '', target = '', hint] = data.split(' ');
  const labels = labelsOf(nameOf(target)).map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  const octets = Buffer.concat([Buffer.from([0, Number(priority)]), ...labels, Buffer.from([0])]);
  const tail =
    hint === undefined ? '' : Buffer.from([0, 4, 0, 4, ...hint.split('.').map(Number)]).toString('hex');
  return record.data === octets.toString('hex') + tail;
}
