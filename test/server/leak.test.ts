import t from 'tap';
import { amount } from '../amount.ts';
import { Client } from './client.ts';
import {
  approvesName,
  approving,
  countRules,
  grantsPrivate,
  IDENTITIES,
  isInTree,
  makeVariant,
  mayGoUpstream,
  NAMES,
  redirected,
  type Variant,
  variantYaml,
} from './leak-model.ts';
import { type Message, type Rec, replyOctets } from './message.ts';
import { namegate, pause } from './namegate.ts';
import { Random } from './random.ts';
import { type Script, upstream } from './upstream.ts';

/**
 * Two identities with policies that overlap and change all the time ask about everything, while their upstream lies.
 * Nothing may reach it that neither policy of that moment approves; no record may reach a client that its policy does not
 * approve, but for the chain of an approved question.
 */

const SEED = Number(process.env['NAMEGATE_TEST_SEED'] ?? 20_261_120);
const SECONDS = Number(process.env['NAMEGATE_LEAK_SECONDS'] ?? amount(5, 8));
const VARIANTS = 8;
/** Milliseconds that a time stamp of the log, or of this process, may be wrong. */
const CLOCK = 25;
/** Milliseconds that a question may be older when this process sees it at the upstream. */
const LAG = 400;
const LIE = '203.0.113.66';

const random = new Random(SEED);
const variants = Array.from({ length: VARIANTS }, () => makeVariant(random));
const most = Math.max(...variants.map(countRules));
/** The number of its rules tells which variant the log speaks of. */
const totals = variants.map((_, i) => most + 1 + i);
const texts = variants.map((variant, i) => variantYaml(variant, totals[i]! - countRules(variant)));

/** What is true of a name: its address, and for some a chain, a private address or a target. */
function truth(name: string, type: string): string[] {
  let hash = 7;
  for (const char of name) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  const ttl = hash % 2;
  const [, letter = '', number = '0'] = /^([cpms])(\d+)\.pool\./.exec(name) ?? [];
  if (letter === 'c' && type !== 'CNAME') {
    const target = `t${number}.target.example.`;
    return [`${name} ${ttl} CNAME ${target}`, ...truth(target, type)];
  }
  switch (type) {
    case 'A':
      return [
        `${name} ${ttl} A ${letter === 'p' ? '10' : '198'}.${18 + (hash & 1)}.${(hash >>> 8) & 255}.${(hash >>> 16) & 255}`,
      ];
    case 'CNAME':
      return letter === 'c' ? [`${name} ${ttl} CNAME t${number}.target.example.`] : [];
    case 'MX':
      return letter === 'm' ? [`${name} ${ttl} MX 10 h${number}.pool.example.`] : [];
    case 'SRV':
      return letter === 's' ? [`${name} ${ttl} SRV 0 0 443 h${number}.pool.example.`] : [];
    case 'HTTPS':
      return letter === 's'
        ? [`${name} ${ttl} HTTPS 1 h${number}.pool.example. 198.51.100.1`]
        : [`${name} ${ttl} HTTPS 1 .`];
    case 'TXT':
      return [`${name} ${ttl} TXT of-${name}`];
    default:
      return [];
  }
}

const lying: Script = ({ octets, name, type, id, over }, to) => {
  const victim = random.pick(NAMES);
  const lies = [`${victim} 3600 A ${LIE}`, `evil.example. 3600 A ${LIE}`];
  const answer = truth(name, type);
  const last = answer.at(-1)?.split(' ');
  const signed = last === undefined ? [] : [`${last[0]} ${last[1]} RRSIG ${last[2]} 3 example.`];
  // What it says of the question itself is its to say; lies are about other names.
  const owners = new Set([name, ...answer.map((record) => record.split(' ')[0]!)]);
  const shape = {
    answer: [...answer, ...signed, ...lies.filter((lie) => !owners.has(lie.split(' ')[0]!))],
    authority: [
      ...(answer.length === 0 || last?.[2] === 'CNAME'
        ? [`${name === '.' ? '.' : 'example.'} 1 SOA a.example. b.example. 1 2 3 4 1`]
        : []),
      `${victim} 3600 NS ns.evil.example.`,
      `evil.example. 3600 SOA a.example. b.example. 1 2 3 4 9`,
    ],
    additional: [`ns.evil.example. 3600 A ${LIE}`, `${name} 3600 A ${LIE}`],
  };
  const reply = replyOctets(octets, shape);
  if (over === 'udp') {
    const forged = replyOctets(octets, { answer: [`${name} 3600 A ${LIE}`] });
    if (random.once(4)) {
      const wrong = Buffer.from(forged);
      wrong.writeUInt16BE(id ^ 0x101, 0);
      to.send(wrong);
    }
    if (random.once(4)) to.sendFromElsewhere(forged);
    if (random.once(8)) {
      to.send(replyOctets(octets, { flags: 0x200, answer: [`${name} 3600 A ${LIE}`] }));
      return;
    }
  }
  to.send(reply);
};

const up = await upstream(t, lying);
const server = await namegate(t, { policy: texts[0]!, servers: `[${up.url}]` });
const startedAt = Date.now();

interface Exchange {
  readonly identity: number;
  /** In lower case. */
  readonly name: string;
  readonly type: string;
  readonly validating: boolean;
  readonly dnssecOk: boolean;
  readonly sent: number;
  readonly received: number;
  readonly reply: Message;
}

const exchanges: Exchange[] = [];
/** Chains that validating clients were given: each target behind a dot. */
const chains: { readonly identity: number; readonly sent: number; readonly target: string }[] = [];
let lost = 0;

t.test('they ask while policies change', async (t) => {
  const end = Date.now() + SECONDS * 1000;
  const clients = await Promise.all(
    IDENTITIES.flatMap((_, identity) =>
      (['udp', 'tcp'] as const).map(async (over) => ({
        identity,
        client: await Client.open(server, over, `127.0.0.${11 + identity}`),
      })),
    ),
  );
  const working = clients.flatMap(({ identity, client }, i) =>
    Array.from({ length: 5 }, (_, j) => work(identity, client, new Random(SEED + 100 * i + j), end)),
  );
  let at = 0;
  while (Date.now() < end) {
    at = (at + 1 + random.below(VARIANTS - 1)) % VARIANTS;
    if (random.once(2)) server.replace('policy/test.yaml', texts[at]!);
    else server.write('policy/test.yaml', texts[at]!);
    await pause(250 + random.below(300));
  }
  await Promise.all(working);
  for (const { client } of clients) {
    t.same(client.strays, [], 'no reply that nobody asked for');
    client.close();
  }
});

const TYPES = [
  'A',
  'A',
  'A',
  'AAAA',
  'CNAME',
  'MX',
  'SRV',
  'HTTPS',
  'TXT',
  'ANY',
  'DS',
  'DNSKEY',
  'NS',
  'SOA',
  'TYPE4711',
];

async function work(identity: number, client: Client, random: Random, end: number): Promise<void> {
  while (Date.now() < end) {
    const name = pickName(random);
    const type = name.includes('_why') ? 'TXT' : random.pick(TYPES);
    const dnssecOk = random.once(3);
    const checkingDisabled = random.once(6);
    const written = random.once(2) ? name.toUpperCase() : name;
    const sent = Date.now();
    try {
      const reply = await client.ask(written, { type, dnssecOk, checkingDisabled }, 5000);
      exchanges.push({
        identity,
        name,
        type,
        validating: dnssecOk || checkingDisabled,
        dnssecOk,
        sent,
        received: Date.now(),
        reply,
      });
      if (!dnssecOk && !checkingDisabled) continue;
      for (const { type, data } of reply.answer) {
        if (type === 'CNAME') chains.push({ identity, sent, target: `.${data.toLowerCase()}` });
      }
    } catch {
      lost++;
    } finally {
      await pause(random.below(16));
    }
  }
}

function pickName(random: Random): string {
  const name = random.pick(NAMES);
  // Free labels are where data leaks through.
  const secret = `x${random.next().toString(36)}`;
  switch (random.below(12)) {
    case 0:
      return `${secret}.evil.example.`;
    case 1:
      return `${secret}.${name}`;
    case 2:
      return `${secret}.w${random.below(6)}.example.`;
    case 3:
      return `${secret}.${secret}.w${random.below(6)}.example.`;
    case 4:
      return `${name}_why.namegate.internal.`;
    case 5:
      return random.pick([
        '.',
        'example.',
        'pool.example.',
        'target.example.',
        't3.target.example.',
        'mirror2.behind.example.',
      ]);
    default:
      return name;
  }
}

/** When which variant was in force, by the log. */
function history(): { readonly variant: number; readonly from: number; readonly to: number }[] {
  const swaps = server.events('policy-loaded').map(({ time, rules }) => ({
    variant: totals.indexOf(Number(rules)),
    from: Date.parse(time),
  }));
  const all = [{ variant: 0, from: startedAt - 60_000 }, ...swaps];
  return all.map((swap, i) => ({ ...swap, to: all[i + 1]?.from ?? Number.POSITIVE_INFINITY }));
}

t.test('the oracle', async (t) => {
  await pause(300);
  const periods = history();
  t.ok(
    periods.every(({ variant }) => variant >= 0),
    'the log names each policy',
  );
  // How many there are is a matter of the machine's speed; that there are several is what is wanted.
  t.ok(periods.length > 1, `${periods.length} policies were in force`);
  const inForce = (from: number, to: number): Variant[] =>
    periods
      .filter((period) => period.from <= to + CLOCK && period.to >= from - CLOCK)
      .map(({ variant }) => variants[variant]!);

  const answered = exchanges.filter(({ reply }) => reply.answer.length > 0);
  const given = exchanges.filter(({ reply, type }) => reply.answer.length > 0 && type === 'A');
  t.ok(exchanges.length > 300 * SECONDS, `${exchanges.length} questions, ${answered.length} answered`);
  t.ok(given.length > 20 * SECONDS, `${given.length} addresses given`);
  t.equal(lost, 0, 'none is lost');
  t.same(exchanges.filter(({ reply }) => reply.rcode === 'SERVFAIL').map(text), [], 'none fails');

  const told: string[] = [];
  for (const exchange of exchanges) {
    const policies = inForce(exchange.sent, exchange.received);
    const faults = policies.map((variant) => faultOf(exchange, variant));
    if (!faults.includes(null)) told.push(`${text(exchange)}: ${faults.join('; ')}`);
  }
  t.same(told.slice(0, 10), [], 'no record reaches a client that its policy does not approve');

  t.same(up.unsound, [], 'nothing unsound goes upstream');
  t.ok(up.seen.length > 20 * SECONDS, `${up.seen.length} questions went upstream`);
  const leaked = up.seen.filter(({ name, type, epoch }) => {
    const policies = inForce(epoch - LAG, epoch);
    return !policies.some((variant) =>
      IDENTITIES.some(
        (_, identity) => mayGoUpstream(variant, identity, name, type) || isTrust(identity, name, type, epoch),
      ),
    );
  });
  t.same(
    leaked.map(({ name, type }) => `${name} ${type}`).slice(0, 10),
    [],
    'nothing goes upstream that no policy approves',
  );
  t.notOk(
    up.seen.some(({ name, type }) => name.includes('evil') || name.includes('_why') || type === 'ANY'),
    'nor what none ever does',
  );
});

t.test('it has met no bug', async (t) => {
  await server.stop(t);
});

/** DS and DNSKEY of a chain's targets and their ancestors, for the identity that was given the chain. */
function isTrust(identity: number, name: string, type: string, before: number): boolean {
  if (type !== 'DS' && type !== 'DNSKEY') return false;
  const suffix = name === '.' ? name : `.${name}`;
  return chains.some(
    (chain) => chain.identity === identity && chain.sent <= before && chain.target.endsWith(suffix),
  );
}

function text({ identity, name, type, validating, reply }: Exchange): string {
  const records = (list: readonly Rec[]): string =>
    list.map(({ owner, type, data }) => `${owner} ${type} ${data}`).join(', ');
  return `${IDENTITIES[identity]} ${name} ${type}${validating ? ' validating' : ''} -> ${reply.rcode} ${records(reply.answer)} / ${records(reply.authority)}`;
}

/** What is wrong with a reply under a policy, or null. */
function faultOf(
  { identity, name, type, validating, dnssecOk, received, reply }: Exchange,
  variant: Variant,
): string | null {
  if (reply.additional.length > 0) return 'additional records';
  if (JSON.stringify(reply).includes(LIE)) return 'a lie';
  const chain = [name];
  const answer = reply.answer.map((record) => ({ ...record, owner: record.owner.toLowerCase() }));
  for (const { owner, type, data } of answer) {
    if (type === 'CNAME' && owner === chain.at(-1)) chain.push(data.toLowerCase());
    else if (!chain.includes(owner)) return `${owner} is not of the chain`;
  }
  const fault = authorityFault(reply.authority, chain.at(-1)!, dnssecOk);
  if (fault !== null || answer.length === 0) return fault;
  if (name.endsWith('._why.namegate.internal.')) {
    const other = IDENTITIES[1 - identity]!;
    return JSON.stringify(answer).includes(other) ? 'another identity is told of' : null;
  }
  const approved = approving(variant, identity, name, type).length > 0;
  if (type === 'ANY')
    return approvesName(variant, identity, name) && answer[0]?.type === 'HINFO'
      ? null
      : 'ANY of what is not approved';
  const asValidator =
    validating &&
    (type === 'DS' || type === 'DNSKEY') &&
    (isInTree(variant, identity, name) || isTrust(identity, name, type, received));
  if (!approved && !asValidator) return 'not approved';
  const record = variant.records.get(redirected(variant, name));
  for (const { owner, type: own, data } of answer) {
    if (own === 'RRSIG') {
      if (!dnssecOk) return 'a signature that was not asked for';
      continue;
    }
    if (own === 'CNAME' && owner !== chain.at(-1)) continue;
    if (own !== type) return `a record of type ${own}`;
    const targets =
      own === 'MX' || own === 'SRV' ? [data.split(' ').at(-1)!] : own === 'HTTPS' ? httpsTarget(owner) : [];
    for (const target of targets) {
      if (target !== owner && !approvesName(variant, identity, target)) return `it leads to ${target}`;
    }
    if (own !== 'A') continue;
    if (record !== undefined) {
      if (data !== record) return 'not the record of the policy';
      continue;
    }
    if (!truth(owner, 'A').some((line) => line.endsWith(` A ${data}`))) return `not the address of ${owner}`;
    if (
      data.startsWith('10.') &&
      (variant.redirects.has(name) || !grantsPrivate(variant, identity, name, type))
    )
      return 'a private address';
  }
  return null;
}

function authorityFault(authority: readonly Rec[], end: string, dnssecOk: boolean): string | null {
  for (const { owner, type } of authority) {
    const zone = owner.toLowerCase();
    if (type === 'RRSIG' && dnssecOk) continue;
    if (type !== 'SOA') return `${type} in authority`;
    if (zone !== '.' && zone !== end && !end.endsWith(`.${zone}`)) return `the SOA of ${zone}`;
  }
  return null;
}

function httpsTarget(owner: string): string[] {
  const number = /^s(\d+)\.pool\./.exec(owner)?.[1];
  return number === undefined ? [] : [`h${number}.pool.example.`];
}
