import { watch } from 'chokidar';
import type { FolderEvents, OpenEvents } from './watch.ts';

/** Events of the entries of folders, not of what is below them. A folder that cannot be read sends none. */
export const folderEvents: OpenEvents = (folders, onPath, onError): FolderEvents => {
  const events = watch(folders, {
    depth: 0,
    ignoreInitial: true,
    followSymlinks: false,
    persistent: false,
    ignorePermissionErrors: true,
  });
  events.on('all', (_event, path) => onPath(path));
  events.on('error', onError);
  return {
    add: (added) => void events.add(added),
    unwatch: (gone) => void events.unwatch(gone),
    close: () => events.close(),
  };
};
