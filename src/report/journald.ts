import { fstatSync } from 'node:fs';

/** What a line begins with, so that journald knows its priority: sd-daemon(3), levels of syslog(3). */
export const PRIORITY = { error: '<3>', warn: '<4>', info: '<6>', debug: '<7>' } as const;

/** Whether a descriptor leads to journald: JOURNAL_STREAM has its device and inode, systemd.exec(5). */
export function isJournal(fd: number, env: Readonly<Record<string, string | undefined>>): boolean {
  const stream = env['JOURNAL_STREAM'];
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
