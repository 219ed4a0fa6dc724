import type { Position } from '../../policy/problem.ts';
import { relativeTo } from '../policy/lists.ts';
import type { ServerFile } from '../schema/server-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import type { ServerContext } from './server-context.ts';

/** Where the policy is, and the folders beside its own that it may read; paths as seen from where the server file was. */
export interface PolicyPlace {
  readonly path: string;
  /** Where the path is named. */
  readonly at: Position;
  readonly mayRead: readonly string[];
}

/** Null where no path is written, or an empty one, which is reported. */
export function readPolicyPlace(written: Repaired<ServerFile>, context: ServerContext): PolicyPlace | null {
  const { marks, problems } = context;
  const { policy } = written;
  const map = typeof policy === 'object' ? policy : null;
  const mayRead = readFolders(map?.may_read ?? [], context);
  const path = map === null ? (policy as string | undefined) : map.path;
  const at = map === null ? marks.value(written, 'policy') : marks.value(map, 'path');
  if (path === undefined) return null;
  if (path !== '') return { path: relativeTo(marks.file, path), at, mayRead };
  problems.error('value-empty', at, 'policy is empty', 'write the path of a file or folder');
  return null;
}

function readFolders(list: readonly (string | undefined)[], { marks, problems }: ServerContext): string[] {
  return list.flatMap((folder, index) => {
    if (folder === undefined) return [];
    if (folder !== '') return [relativeTo(marks.file, folder)];
    problems.error(
      'value-empty',
      marks.value(list, index),
      'a folder is empty',
      'write its path, or remove the entry',
    );
    return [];
  });
}
