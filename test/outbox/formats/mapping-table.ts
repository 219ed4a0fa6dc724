import { COMMON_ROWS, DNS_ROWS } from '../../../src/outbox/formats/ocsf-dns.ts';
import { FINDING_ROWS } from '../../../src/outbox/formats/ocsf-finding.ts';
import { ATTACKS } from '../../../src/outbox/formats/ocsf-words.ts';
import type { Row } from '../../../src/outbox/formats/row.ts';

/** The tables of docs/alerts.md, as the code has them: `node test/outbox/formats/mapping-table.ts` prints them. */
export function mappingTable(): string {
  return table(
    ['attribute', 'class', 'from'],
    [...rows(COMMON_ROWS, 'both'), ...rows(DNS_ROWS, '4003'), ...rows(FINDING_ROWS, '2004')],
  );
}

export function attackTable(): string {
  return table(
    ['`finding`', 'sub-techniques'],
    [...ATTACKS].map(([finding, attacks]) => [
      `\`${finding}\``,
      attacks.map(({ sub_technique: { uid, name } }) => `${uid} (${name})`).join(', '),
    ]),
  );
}

function rows(of: readonly Row[], which: string): string[][] {
  return of.map(({ to, from }) => [`\`${to}\``, which, from]);
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return [head, head.map(() => '---'), ...body].map(line).join('');
}

if (import.meta.main) console.log(`${mappingTable()}\n${attackTable()}`);
