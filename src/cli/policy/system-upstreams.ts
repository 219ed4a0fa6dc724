import type { ProblemCode } from '../../config/codes.ts';
import type { LoadResult } from '../../config/loaded.ts';
import { isOurs, machineAddresses } from '../../config/server/ourselves.ts';
import { type Problem, warning } from '../../policy/problem.ts';
import { SystemServers } from '../../upstream/system.ts';

const NOBODY: ProblemCode = 'upstream-nobody';
/** Where a group is given the system's servers. */
const WRITTEN = /^.*?servers: *["']?system\b/gm;

/**
 * A warning for each group whose `servers: system` leaves nobody to ask on this machine, by `resolvConf`, a path. No error:
 * the files may be meant for another machine. `file`: the server file's path as problems have it.
 */
export function withoutServers(
  { settings, sources }: LoadResult,
  file: string,
  resolvConf: string,
): Problem[] {
  if (settings === null || !settings.upstreams.some(({ servers }) => servers === 'system')) return [];
  const machine = machineAddresses();
  const ours = (host: string, port: number): boolean => isOurs(settings.listen, host, port, machine);
  const found = new SystemServers(resolvConf, ours, 0).poll(0);
  if (found !== null && found.servers.length > 0) return [];
  const names = found !== null && found.ours.length > 0 ? 'namegate alone' : 'no nameserver';
  const text = sources.get(file) ?? '';
  const written = [...text.matchAll(WRITTEN)];
  const groups = settings.upstreams.filter(({ servers }) => servers === 'system');
  return groups.map(({ name }, i) => {
    const place = written[i];
    const line = place === undefined ? 1 : text.slice(0, place.index).split('\n').length;
    const column = place === undefined ? 1 : place[0].length - 'system'.length + 1;
    const message = `the group ${name} has nobody to ask: ${resolvConf} names ${names}`;
    return warning(
      NOBODY,
      { file, line, column },
      message,
      'name whom to ask, as in servers: [udp://192.0.2.53]',
    );
  });
}
