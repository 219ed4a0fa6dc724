import { statSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { makeFolder } from '../../journal/folder.ts';
import { listenOnPath } from '../../socket/unix-path.ts';

export { socketAddress } from '../../socket/unix-path.ts';

/** Listens on a unix socket that its owner alone can open, in a folder where nobody else can put another. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  checkFolder(dirname(path));
  await listenOnPath(server, path);
}

/** Nobody else may put a socket in place of ours. */
function checkFolder(folder: string): void {
  makeFolder(folder);
  const { mode, uid } = statSync(folder);
  if (uid !== 0 && uid !== process.geteuid?.()) {
    throw new Error(
      `the folder of the admin socket, ${folder}, belongs to uid ${uid}: choose one of your own`,
    );
  }
  const sticky = (mode & 0o1000) !== 0;
  if ((mode & 0o002) !== 0 && !sticky) {
    throw new Error(`anyone may write into the folder of the admin socket, ${folder}: chmod o-w ${folder}`);
  }
}
