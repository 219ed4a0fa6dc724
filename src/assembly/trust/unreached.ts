import { type Problem, warning } from '../../policy/problem.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import type { Settings } from '../../settings/settings.ts';

/** Warns of what the policy writes for ways in that the server file does not open. */
export function warnUnreached({ listen, admin, enforce }: Settings, snapshot: Snapshot): Problem[] {
  return [...warnIdentities({ listen, admin }, snapshot), ...(enforce === null ? warnGrants(snapshot) : [])];
}

/** `ports` and `keep` say what the firewall opens, and there is none. */
function warnGrants({ rules }: Snapshot): Problem[] {
  const { terms } = rules;
  // Queries wait meanwhile: a million rules have few terms, and of these hardly ever one is told.
  const untold = new Set<number>();
  terms.forEach(({ ports, keep }, term) => {
    if (ports !== null || keep !== null) untold.add(term);
  });
  const problems: Problem[] = [];
  for (let rule = 0; rule < rules.count && untold.size > 0; rule++) {
    const term = rules.term[rule]!;
    if (!untold.delete(term)) continue;
    const { ports, keep, file } = terms[term]!;
    const keys = [...(ports === null ? [] : ['ports']), ...(keep === null ? [] : ['keep'])].join(' and ');
    const message = `${keys} of this rule change nothing: the server file has no enforce`;
    const at = { file, line: rules.line[rule]!, column: 1 };
    problems.push(
      warning('term-unused', at, message, `write enforce: in the server file, or remove ${keys}`),
    );
  }
  return problems;
}

function warnIdentities(
  { listen, admin }: Pick<Settings, 'listen' | 'admin'>,
  { identities }: Snapshot,
): Problem[] {
  const verifies = listen.some((setting) => setting.protocol === 'tls' && setting.tls.clients !== 'none');
  return identities.flatMap(({ name, certificates, stages, at }) => {
    if (at === null) return [];
    const problems: Problem[] = [];
    if (certificates.length > 0 && !verifies) {
      const fix = 'add a tls:// listener with clients: required or optional, or remove the certificates';
      problems.push(warning('certificate-unused', at, `no listener asks ${name} for a certificate`, fix));
    }
    if (stages.length > 0 && admin === null) {
      const message = `nothing enters the stages of ${name}: leases need the admin API`;
      problems.push(
        warning('stage-unreachable', at, message, 'write admin: in the server file, or remove them'),
      );
    }
    return problems;
  });
}
