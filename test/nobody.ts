import { accessSync, constants } from 'node:fs';

/** The user and group `nobody` of Debian and Fedora; any that owns no file of a test will do. */
const NOBODY = 65_534;

/** Runs `work`, which must end before it returns, without root's right to read what nobody may read. */
export function asNobody<T>(work: () => T): T {
  if (process.getuid?.() !== 0) return work();
  process.seteuid!(NOBODY);
  try {
    return work();
  } finally {
    process.seteuid!(0);
  }
}

/** For a test's `skip`: why `asNobody` could not even reach this folder, or false. */
export function unreachableForNobody(folder: string): string | false {
  try {
    asNobody(() => accessSync(folder, constants.X_OK));
    return false;
  } catch {
    return `other users cannot reach ${folder}`;
  }
}
