import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { EnforceLoad } from '../../config/load-enforce.ts';
import type { NamegateAt, SkeletonTerms } from '../../enforce/table-skeleton.ts';
import type { EnforceSetting } from '../../settings/enforce-settings.ts';

/** What the rules are made of: where jobs may ask namegate, whatever was granted to them, and who is judged. */
export function termsOf(
  { interfaces, local, user }: EnforceSetting,
  { listeners }: EnforceLoad,
): SkeletonTerms {
  const at = listeners.map(({ scheme, host: written, port }): NamegateAt => {
    const [host = ''] = written.split('%');
    const family = host.includes(':') ? 6 : 4;
    const l4 = scheme === 'udp' ? 'udp' : 'tcp';
    return { host: host === '0.0.0.0' || host === '::' ? null : host, family, l4, port };
  });
  // Programs of root may be the job's.
  const uid = user === null ? null : uidOf(user);
  const users = uid === null || uid === 0 ? [] : [uid];
  return { interfaces, listeners: at, local, users };
}

/** The number of a user of this machine; null for nobody. */
export function uidOf(user: string): number | null {
  if (/^\d+$/.test(user)) return Number(user);
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${user}:`));
  if (line !== undefined) return Number(line.split(':')[2]);
  try {
    return Number(
      execFileSync('id', ['-u', user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    return null;
  }
}
