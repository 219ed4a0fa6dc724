import type { Milliseconds } from '../wire/quantity.ts';

/** A room, named for people, and how it is closed: at once, or when the promise that comes back is fulfilled. */
export type ClosingRoom = readonly [name: string, close: () => unknown];

/**
 * Closes rooms step by step: those of one step at once, the next step when all of them are closed. Returns the names of those
 * that were not closed within `patience` milliseconds; they go on. Rejects where a room cannot be closed.
 */
export async function closeRooms(
  patience: Milliseconds,
  steps: readonly (readonly ClosingRoom[])[],
): Promise<readonly string[]> {
  const left = new Set<string>();
  const closeOne = async ([name, close]: ClosingRoom): Promise<void> => {
    left.add(name);
    await close();
    left.delete(name);
  };
  const closeAll = async (): Promise<void> => {
    for (const rooms of steps) await Promise.all(rooms.map(closeOne));
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patience);
  });
  try {
    await Promise.race([closeAll(), late]);
  } finally {
    clearTimeout(timer);
  }
  return [...left];
}
