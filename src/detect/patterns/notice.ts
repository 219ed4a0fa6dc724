import type { Milliseconds } from '../../wire/quantity.ts';
import { DETECTED, type Detected } from './kinds.ts';
import type { Noticed } from './observed.ts';

/** What is told of a finding. `place` tells it from others of its kind and identity; `window`: how long it stays open. */
export function noticed(
  finding: Detected,
  identity: string,
  place: string,
  key: string,
  window: Milliseconds,
  count: number,
): Noticed {
  const { severity } = DETECTED[finding];
  const hasDomain = finding === 'attempt' || finding === 'other-stage';
  return { finding, severity, place, key, window, identity, count, hasDomain };
}

/** Octets of a wire name from `from` on as a text, an octet a character. */
export function latin1(name: Uint8Array, from: number): string {
  return Buffer.from(name.buffer, name.byteOffset + from, name.length - from).toString('latin1');
}
