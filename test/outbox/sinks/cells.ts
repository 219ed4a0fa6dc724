import type { Test } from 'tap';
import type { Receiver } from './receivers.ts';
import { once, type Rig, until, upTo } from './rig.ts';

/** Ways in which a receiver fails. */
export const FAILURES = [
  'down at the start',
  'down later',
  'slow',
  'garbage',
  'half-open',
  'reset',
  'refused token',
  'certificate ended',
  'disk full',
  'too large',
] as const;

export type Failure = (typeof FAILURES)[number];
export type Cell = (t: Test) => Promise<void>;
/** A text says why it cannot be. */
export type Cells = Readonly<Record<Failure, Cell | string>>;

export const NO_TOKEN = 'it shows no token';
export const NO_CERTIFICATE = 'it shows no certificate';
export const READS_NOTHING = 'what comes back is not read';
export const NO_LIMIT = 'the receiver says nothing of what is too large';

export async function trouble(rig: Rig, what: string): Promise<string> {
  await until(what, () => rig.sinks.states[0]?.status !== 'ok');
  return `${rig.sinks.states[0]!.status} ${rig.sinks.states[0]!.reason}`;
}

export async function allArrived(
  t: Test,
  rig: Rig,
  receiver: Pick<Receiver, 'seqs'>,
  count: number,
): Promise<void> {
  await until('all is acknowledged', () => rig.acknowledged());
  t.strictSame(once(receiver.seqs()), upTo(count), 'each has arrived, in order');
  t.equal(rig.store.dead('siem', 100).length, 0, 'none is dead');
  await until('it is in order', () => rig.sinks.states[0]?.status === 'ok');
}
