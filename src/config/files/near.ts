import { readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import { editDistance } from '../edit-distance.ts';
import type { Enclosure } from './enclosure.ts';

/** Names of one folder that are looked at. */
const MOST = 2_000;

/**
 * What to do about a path that leads nowhere: which of its folders is missing, and what stands there with nearly the same
 * name. A slip of two letters is near, and so is another ending. `within`: only what lies there is named; null for no bound.
 */
export function nearFix(path: string, within: Enclosure | null): string {
  let missing = path;
  let folder = dirname(path);
  let names = namesIn(folder, within);
  while (names === null && dirname(folder) !== folder) {
    missing = folder;
    folder = dirname(folder);
    names = namesIn(folder, within);
  }
  const wanted = basename(missing);
  const near = names === null ? null : nearest(wanted, names);
  if (near !== null) return `correct the path: ${folder} has ${near}, not ${wanted}`;
  return missing === path
    ? 'create it, or correct the path'
    : `create the folder ${missing}, or correct the path`;
}

function nearest(wanted: string, names: readonly string[]): string | null {
  const most = Math.min(2, Math.floor(wanted.length / 3));
  const ranked = names
    .map((name) => ({ name, distance: distanceOf(wanted, name) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return ranked[0]?.name ?? null;
}

function distanceOf(wanted: string, name: string): number {
  const [a, b] = [wanted.toLowerCase(), name.toLowerCase()];
  if (a === b) return 0;
  const stem = a.slice(0, a.length - extname(a).length);
  if (stem !== '' && stem === b.slice(0, b.length - extname(b).length)) return 1;
  return editDistance(a, b);
}

/** Null where there is no such folder, or nobody may look into it. */
function namesIn(folder: string, within: Enclosure | null): readonly string[] | null {
  try {
    // A folder of the policy is inside by its own name; what it is a part of is not.
    if (within !== null && !within.holds(`${realpathSync.native(folder)}/x`)) return null;
    return readdirSync(folder).slice(0, MOST);
  } catch {
    return null;
  }
}
