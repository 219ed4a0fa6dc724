/** A report whose names mean something to whatever it is written for. */
import type { Report, ReportRow } from '../../../src/history/report.ts';
import { SECTIONS } from '../../../src/history/report.ts';
import { nameToText } from '../../../src/wire/name.ts';

/** Labels that mean something to a terminal, to Markdown, to XML, to a workflow's log or to JSON. */
const LABELS = [
  '<script>alert(1)</script>',
  ']]><!--',
  '&amp;&#0;',
  '`code` **bold** [a](b)',
  '|--|\n|x|',
  '\x1b[31mred\x07',
  '\x00\x01\x7f\x9b\xff',
  '\u202eevil',
  '::error title=x::y',
  '%0A::stop-commands::x',
  '"quoted" \\ back',
  "it's",
  '$(id) `id` ; rm -rf /',
  '</code></td>',
  'a.b',
  ' ',
  '\u2028\u2029',
  'NAMEGATE_REPORT={}',
];

/** Names in presentation form: each label of `LABELS` under `example`. */
export const NAMES = LABELS.map((label) => {
  const octets = Buffer.from(label, 'utf8').subarray(0, 63);
  return nameToText(Buffer.concat([Buffer.from([octets.length]), octets, Buffer.from('\x07example\0')]));
});

const row = (name: string): ReportRow => ({
  name,
  folded: false,
  types: ['A'],
  verdict: 'deny',
  stage: '<b>`stage`|',
  ground: 'nothing',
  rule: 'policy/a b.yaml:3',
  first: '2026-11-29T10:00:00.000Z',
  last: '2026-11-29T10:00:00.000Z',
  count: 1,
});

/** A report that has each of these names in every section. */
export function reportWith(names: readonly string[]): Report {
  const rows = names.map(row);
  const totals = Object.fromEntries(SECTIONS.map((s) => [s, { names: rows.length, questions: rows.length }]));
  const sections = Object.fromEntries(SECTIONS.map((section) => [section, rows]));
  return {
    verdict: 'a <verdict>',
    complete: false,
    missing: ['why & how'],
    identities: ['build'],
    owners: ['team'],
    leases: ['le-1'],
    job: { 'ref\u001b[0m': 'refs/heads/<x>|`y`\n::error::z' },
    policies: ['p'],
    audit_until: null,
    ask: 'team <a>',
    totals: totals as unknown as Report['totals'],
    sections: sections as unknown as Report['sections'],
    dependencies: names.map((name) => ({
      name,
      since: '2026-11-29T10:00:00.000Z',
      until: null,
      next: 'ask <team> & co',
    })),
    direct: {
      proven: names.length,
      unproven: 0,
      packets: names.length,
      rows: names.map((name, i) => ({
        address: '203.0.113.1',
        protocol: 'tcp',
        port: i + 1,
        proven: true,
        granted_name: name,
        first: '2026-11-29T10:00:00.000Z',
        last: '2026-11-29T10:00:00.000Z',
        count: 1,
      })),
    },
    servers: { asked: 2, complete: 0, silent: ['unix:/`x`: <no>'] },
    near_budget: names.map((name) => ({
      wildcard: name,
      subject: name,
      spent: 9,
      contain: 10,
      names_left: 0,
    })),
    without_tcp: names,
    left_out: 3,
    search_hint: 'search: ["<x>"]',
  };
}

export const REPORT = reportWith(NAMES);
