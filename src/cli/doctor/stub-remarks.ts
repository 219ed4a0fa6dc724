import type { Seconds } from '../../wire/quantity.ts';
import { type Finding, note } from './finding.ts';
import type { StubConfig } from './resolv-conf.ts';

/** Seconds within which namegate answers at the latest. */
const SERVER_PATIENCE: Seconds = 4;

/** What of resolv.conf changes how this client's names are asked for. */
export function stubRemarks({ nameservers, search, options }: StubConfig): Finding[] {
  const findings: Finding[] = [];
  const ndots = numberOf(options.get('ndots'), 1);
  if (search.length > 0) {
    const many = ndots > 1 ? `names with fewer than ${ndots} dots` : 'names without a dot';
    const suffixes = search.join(', ');
    findings.push(
      note(
        'search',
        `${many} are asked for under ${suffixes} first (search, ndots:${ndots}): each miss is a denied question`,
        `write search: [${suffixes}] on the identity, so that misses count for nothing${ndots > 1 ? ', and options ndots:1 here' : ''}`,
      ),
    );
  }
  if (nameservers.length > 1 && options.has('rotate')) {
    const fix = 'remove it, or leave one nameserver';
    findings.push(note('options', 'options rotate: each question goes to another nameserver', fix));
  }
  const timeout = numberOf(options.get('timeout'), 5);
  if (timeout <= SERVER_PATIENCE) {
    findings.push(
      note(
        'options',
        `options timeout:${timeout}: the stub gives up before namegate does, which answers within ${SERVER_PATIENCE} s`,
        'write options timeout:5',
      ),
    );
  }
  if (nameservers.length > 3) {
    const fix = 'leave one nameserver';
    findings.push(note('options', 'stubs use three nameservers, and pass over the rest', fix));
  }
  return findings;
}

function numberOf(text: string | undefined, otherwise: number): number {
  return text !== undefined && /^\d{1,4}$/.test(text) ? Number(text) : otherwise;
}
