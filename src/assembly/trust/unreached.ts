import { type Problem, warning } from '../../policy/problem.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import type { Settings } from '../../settings/settings.ts';

/** Warns of what the policy writes for ways in that the server file does not open. */
export function warnUnreached({ listen, admin }: Settings, { identities }: Snapshot): Problem[] {
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
