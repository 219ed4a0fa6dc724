import { join } from 'node:path';
import t from 'tap';
import { load } from '../../src/config/load.ts';
import { isError } from '../../src/policy/problem.ts';
import { NOW, put, write } from './harness.ts';

/**
 * Advice is right when followed: what a problem tells to write is written in the place of what was wrong, and the config is
 * good then, or has another problem whose advice is right. Nobody needs more than three rounds.
 */

const SERVER = 'listen: [udp://127.0.0.1:5300]\npolicy: policy.yaml\n';
const names = (entry: string): string => policy(`names: [${entry}]`);
const policy = (keys: string, identity = ''): string =>
  `destinations: { d: { owner: o, reason: r, ${keys} } }\nidentities: [{ name: me, owner: team, review_by: 2027-03-31, from: { addresses: [127.0.0.1] }, allow: [d]${identity} }]\n`;
const addresses = (entry: string): string =>
  `identities: [{ name: me, owner: team, review_by: 2027-03-31, from: { addresses: [${entry}] } }]\n`;
const server = (keys: string): string =>
  `${SERVER}upstreams: { default: { servers: [udp://192.0.2.53] } }\n${keys}\n`;

/** The wrong text, the files that hold it as `WRONG`, and what the first advice must say. */
interface Case {
  readonly wrong: string;
  readonly server?: string;
  readonly policy?: string;
  readonly first?: RegExp;
}

const patternCases: Case[] = (
  [
    ['github.com api.github.com', /^write an entry for each: github.com, api.github.com$/],
    ['"github.com,api.github.com"', /^write an entry for each/],
    ['"github.com; api.github.com"', /^write an entry for each/],
    ['"github.com\\tapi.github.com"', /^write an entry for each/],
    ['"a.example\\nb.example"', /^write an entry for each/],
    ['0.0.0.0 host.example', /^write host.example$/],
    ['"::1 host.example"', /^write host.example$/],
    ['a.example b.example', /^write an entry for each: a.example, b.example$/],
    ['github.com/foo', /^write github.com$/],
    ['github.com/foo/bar?x=y', /^write github.com$/],
    ['"github.com:443/foo"', /^write github.com$/],
    ['"*github.com"', /^write github.com for itself, \*\.github.com .* \*\*\.github.com/],
    ['"**github.com"', /\*\*\.github.com/],
    ['"git*.com"', /^write each name out, or git\{0\.\.199\}\.com/],
    ['"git*"', /^write each name out/],
    ['"api-*.github.com"', /^write \*\.github\.com for one label/],
    ['"*-api.github.com"', /\{0\.\.199\}-api\.github\.com/],
    ['"api.*.github.com"', /\*\.github\.com/],
    ['"github.*"', /^write each name out/],
    ['https://github.com', /^write github.com$/],
    ['"https://user:pw@github.com:8443/x"', /^write github.com$/],
    ['HTTPS://GitHub.com/', /^write GitHub.com$/],
    ['"github.com:443"', /^write github.com$/],
    ['"*.github.com:443"', /^write \*\.github.com$/],
    ['build@github.com', /^write github.com$/],
    ['"github.com,"', /^write github.com$/],
    ['"\'github.com\'"', /^write github.com$/],
    ['" github.com "', /^write github.com$/],
    ['"github.com\\t"', /^write github.com$/],
    ['.github.com', /^write \*\*\.github\.com for the names under it, or github\.com/],
    ['github..com', undefined],
    ['"^github\\\\.com$"', /^write github.com$/],
    ['"(^|\\\\.)github\\\\.com$"', /^write an entry for each: github.com, \*\*\.github.com$/],
    ['"(.*\\\\.)?github\\\\.com"', /github.com, \*\*\.github.com$/],
    ['".*\\\\.github\\\\.com"', /^write \*\*\.github.com$/],
    ['".*.github.com"', /^write \*\*\.github.com$/],
    ['"[^.]+\\\\.github\\\\.com"', /^write \*\.github.com$/],
    ['"n{199..0}.github.com"', /^write \{0\.\.199\}$/],
    ['*.github.com', /^quote it: "\*\.github\.com"$/],
    ['bücher.example', /check that this is the name/],
    ['GitHub.COM', undefined],
    ['github。com', undefined],
  ] as const
).map(([wrong, first]) => ({ wrong, policy: names('WRONG'), ...(first && { first }) }));

const timeCases: Case[] = (
  [
    ['2027-01-31 18:00', /^write 2027-01-31T18:00Z if it is UTC/],
    ['2027-01-31 18:00:30', /^write 2027-01-31T18:00:30Z if/],
    ['2027-01-31T18:00', /^write 2027-01-31T18:00Z if/],
    ['2027-01-31 18:00 UTC', /^write 2027-01-31T18:00Z$/],
    ['2027-01-31 18:00 +01:00', /^write 2027-01-31T18:00\+01:00$/],
    ['1800000000', /^write 2027-01-15T08:00:00Z$/],
    ['1800000000000', /^write 2027-01-15T08:00:00Z$/],
    ['"1800000000"', /^write 2027-01-15T08:00:00Z$/],
    ['31.12.2027', /^write 2027-12-31$/],
    ['2027/12/31', /^write 2027-12-31$/],
    ['2027-1-5', /^write 2027-01-05$/],
    ['20270131', /^write 2027-01-31$/],
    ['2027', /such as/],
    ['2027-02-30', /such as/],
    ['tomorrow', /such as/],
    ['true', /such as/],
  ] as const
).map(([wrong, first]) => ({ wrong, first, policy: policy('names: [a.example], until: WRONG') }));

const serverCases: Case[] = (
  [
    ['metrics: WRONG', 'true', /^write a URL, such as http:\/\/127\.0\.0\.1:9153$/],
    ['metrics: WRONG', 'false', /^remove it, or write a URL/],
    ['metrics: WRONG', '9153', /such as http/],
    ['metrics: WRONG', '127.0.0.1:9153', /^write http:\/\/127\.0\.0\.1:9153$/],
    ['admin: WRONG', 'http://127.0.0.1:9154', undefined],
    ['state: WRONG', 'true', /such as state\//],
    ['cache: { max_ttl: WRONG }', '300', /^write 300s$/],
    ['cache: { max_ttl: WRONG }', '5 minutes', /^write 5m$/],
    ['cache: { max_ttl: WRONG }', '1.5h', /such as 300s/],
    ['cache: { max_ttl: WRONG }', 'true', /such as 1d/],
    ['cache: { size: WRONG }', '64', /^write 64B, or/],
    ['cache: { size: WRONG }', '64MB', /^write 64MiB$/],
    ['cache: { size: WRONG }', '64 mib', /^write 64MiB$/],
    ['cache: { size: WRONG }', '64M', /^write 64MiB$/],
    ['replies: { ede_text: WRONG }', 'yes', /^write true$/],
    ['replies: { ede_text: WRONG }', 'off', /^write false$/],
    ['limits: { in_flight: WRONG }', '010', /^write 10$/],
    ['log: { level: WRONG }', 'verbose', /^write trace or debug/],
  ] as const
).map(([keys, wrong, first]) => ({ wrong, server: server(keys), ...(first && { first }) }));

const listenCases: Case[] = (
  [
    ['127.0.0.1:5300', /^write udp:\/\/127\.0\.0\.1:5300$/],
    ['udp://localhost:5300', /^write udp:\/\/127\.0\.0\.1:5300$/],
    ['UDP://127.0.0.1:5300', /^write udp:\/\/$/],
    ['"::1"', /^write udp:\/\/\[::1\]$/],
    ['udp://::1', /^write udp:\/\/\[::1\]$/],
    ['5300', /such as udp:\/\/127\.0\.0\.1:5300/],
    ['true', /such as udp/],
    ['https://127.0.0.1', /listen on/],
    ['udp://127.0.0.1:5300/', /^write udp:\/\/127\.0\.0\.1:5300$/],
  ] as const
).map(([wrong, first]) => ({
  wrong,
  first,
  server: 'listen: [WRONG]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\n',
}));

const addressCases: Case[] = (
  [
    ['10.20.0.0/255.255.0.0', /^write 10\.20\.0\.0\/16$/],
    ['10.20.0.5/16', /^write 10\.20\.0\.0\/16 for the whole prefix/],
    ['10.20.0.0/33', undefined],
    ['runner.example', /such as 10\.20\.0\.7/],
    ['10.20.*', /such as 10\.20\.0\.7/],
    ['"[2001:db8::1]"', /^write 2001:db8::1$/],
    ['"fe80::1%eth0"', /^write fe80::1$/],
    ['"::ffff:10.0.0.0/104"', /^write 10\.0\.0\.0\/8$/],
    ['true', /such as 10/],
    ['" 10.0.0.1"', /^write 10\.0\.0\.1$/],
  ] as const
).map(([wrong, first]) => ({ wrong, policy: addresses('WRONG'), ...(first && { first }) }));

/** What an advice says to write, each alternative; null where it says no text (remove, check, look). */
function proposals(fix: string): string[] | null {
  const entries = /^write an entry for each: (.*)$/.exec(fix);
  if (entries)
    return [
      entries[1]!
        .split(', ')
        .map((entry) => `"${entry}"`)
        .join(', '),
    ];
  const quoted = /^quote it: (".*")$/.exec(fix);
  if (quoted) return [quoted[1]!];
  const such = /such as (\S+?)(?: or \S+)?(?:, or a date such as (\S+))?$/.exec(fix);
  if (such) return [such[1]!.replace(/,$/, '')];
  const alone = /^write (\S+)$/.exec(fix);
  if (alone) return [alone[1]!];
  const several = [...fix.matchAll(/(?:write|or|,) (\S+) (?:for|if)\b/g)].map(([, text]) => text!);
  if (several.length > 0) return several;
  const choice = /^write ([a-z]+) or /.exec(fix) ?? /^write (\S+), or /.exec(fix);
  return choice ? [choice[1]!] : null;
}

function follow(dir: string, one: Case, text: string, rounds: number, first: string[]): string | null {
  const files = {
    'namegate.yaml': one.server ?? SERVER,
    'policy.yaml': one.policy ?? policy('names: [a.example]'),
  };
  for (const [name, content] of Object.entries(files))
    put(dir, { [name]: content.replaceAll('WRONG', () => text) });
  const { problems } = load(join(dir, 'namegate.yaml'), { env: {}, now: NOW, salt: 7 });
  const [problem] = problems.filter((each) => isError(each) || each.code === 'name-converted');
  if (problem === undefined) return null;
  if (rounds === 0) return `still wrong: ${text}: ${problem.code}: ${problem.fix}`;
  first.push(problem.fix);
  if (problem.code === 'name-converted') return null;
  const said = proposals(problem.fix);
  if (said === null) return null;
  // A part of the text stands in the advice alone.
  const whole = (part: string): string =>
    /^\{\d+\.\.\d+\}$/.test(part)
      ? text.replace(/\{\d+\.\.\d+\}/, part)
      : /^[a-z]+:\/\/$/.test(part)
        ? text.replace(/^[A-Za-z]+:\/\//, part)
        : part;
  for (const each of said) {
    const plain = /[*{]/.test(each) && !each.startsWith('"') ? `"${whole(each)}"` : whole(each);
    const fault = follow(dir, one, plain, rounds - 1, first);
    if (fault !== null) return `${text}: ${problem.fix} → ${fault}`;
  }
  return null;
}

for (const [kind, cases] of Object.entries({
  patterns: patternCases,
  times: timeCases,
  'keys of the server file': serverCases,
  listeners: listenCases,
  addresses: addressCases,
})) {
  t.test(`advice on ${kind} is right when followed`, async (t) => {
    const dir = write(t, {});
    for (const one of cases) {
      const said: string[] = [];
      t.equal(follow(dir, one, one.wrong, 3, said), null, `${one.wrong}: ${said[0]}`);
      if (one.first !== undefined) t.match(said[0], one.first, one.wrong);
    }
  });
}
