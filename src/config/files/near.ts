import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import { editDistance } from '../edit-distance.ts';
import type { Enclosure } from './enclosure.ts';

/** Names of one folder that are looked at. */
const MOST = 2_000;

/**
 * What to do about a path that leads nowhere: which of its folders is missing, and what stands there with nearly the same
 * name. A slip of two letters is near, and so is another ending, but for that of a private key. `within`: only what lies there is named; null for no bound.
 */
export function nearFix(path: string, within: Enclosure | null): string {
  let missing = path;
  let folder = dirname(path);
  let names = namesIn(folder, within);
  while (names === 'missing' && dirname(folder) !== folder) {
    missing = folder;
    folder = dirname(folder);
    names = namesIn(folder, within);
  }
  const wanted = basename(missing);
  const near = typeof names === 'string' ? null : nearest(wanted, names);
  if (near !== null) return `correct the path: ${folder} has ${near}, not ${wanted}`;
  return missing === path
    ? 'create it, or correct the path'
    : `create the folder ${missing}, or correct the path`;
}

/** Why what a person named cannot be used, and what to do; null where it is there. */
export function missingAt(path: string): string | null {
  try {
    statSync(path);
    return null;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? `there is no ${path}: ${nearFix(path, null)}`
      : `${path} cannot be reached (${code}): check the permissions of its folders`;
  }
}

function nearest(wanted: string, names: readonly string[]): string | null {
  const most = Math.min(2, Math.floor(wanted.length / 3));
  const ranked = names
    .map((name) => ({ name, distance: distanceOf(wanted, name) }))
    .filter(({ name, distance }) => distance <= most && name !== wanted)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return ranked[0]?.name ?? null;
}

/** Endings of private keys: nobody who misses a certificate means one, nor the other way. */
const SECRETS = /^\.(?:key|p12|pfx)$/;

function distanceOf(wanted: string, name: string): number {
  const [a, b] = [wanted.toLowerCase(), name.toLowerCase()];
  if (a === b) return 0;
  const stem = a.slice(0, a.length - extname(a).length);
  const [ending, other] = [extname(a), extname(b)];
  if (SECRETS.test(ending) !== SECRETS.test(other)) return Number.POSITIVE_INFINITY;
  if (stem !== '' && stem === b.slice(0, b.length - other.length)) return 1;
  return editDistance(a, b);
}

function namesIn(folder: string, within: Enclosure | null): readonly string[] | 'missing' | 'closed' {
  try {
    // A folder of the policy is inside by its own name; what it is a part of is not.
    if (within !== null && !within.holds(`${realpathSync.native(folder)}/x`)) return 'closed';
    return readdirSync(folder).slice(0, MOST);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'closed';
  }
}
