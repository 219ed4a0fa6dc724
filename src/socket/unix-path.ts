import { closeSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { basename, dirname } from 'node:path';

/** What `sun_path` holds beside its final NUL (unix(7)). */
const MAX_PATH = 107;

/**
 * Listens on a unix socket that its owner alone can open (mode 0600). What a dead process has left there is replaced; a
 * living one is refused. Rejects with a message that says what to do. Who may write into the folder may put another in its place.
 */
export async function listenOnPath(server: Server, path: string): Promise<void> {
  await clearTheWay(path);
  const address = socketAddress(path);
  // The socket has its mode from its first moment: `bind` happens inside `listen`.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: address.path }, () => {
        server.off('error', reject);
        resolve();
      });
      process.umask(mask);
    });
  } finally {
    process.umask(mask);
  }
  server.once('close', address.release);
}

/** A path as `connect` and `bind` take it: a long one leads through a descriptor of its folder (Linux). */
export function socketAddress(path: string): { readonly path: string; readonly release: () => void } {
  if (Buffer.byteLength(path) <= MAX_PATH || process.platform !== 'linux') return { path, release: () => {} };
  const folder = openSync(dirname(path), 'r');
  return { path: `/proc/self/fd/${folder}/${basename(path)}`, release: () => closeSync(folder) };
}

async function clearTheWay(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket())
    throw new Error(`${path} is there, and is no socket: remove it, or choose another path`);
  const code = await probe(path);
  if (code === null) throw new Error(`another process answers on ${path}: is namegate running already?`);
  if (code !== 'ECONNREFUSED') throw new Error(`${path} cannot be looked at (${code})`);
  unlinkSync(path);
}

/** Null where somebody listens, else the system's code. */
function probe(path: string): Promise<string | null> {
  const address = socketAddress(path);
  return new Promise<string | null>((resolve) => {
    const socket = connect({ path: address.path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(null);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
  }).finally(address.release);
}
