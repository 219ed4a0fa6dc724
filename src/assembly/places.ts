import type { ListenSetting } from '../settings/settings.ts';

/** A name for each listener that stays the same across reloads, whatever is written before it. */
export function placesOf(listen: readonly ListenSetting[]): string[] {
  const counts = new Map<string, number>();
  return listen.map(({ protocol, host, port }) => {
    const place = `${protocol} ${host} ${port}`;
    const count = (counts.get(place) ?? 0) + 1;
    counts.set(place, count);
    // Only port 0 may stand twice.
    return `${place} ${count}`;
  });
}
