import type { Failure } from '../answer/answer.ts';

/** Letters that are told of what a server did. */
const MOST = 200;

const WITHOUT_CAUSE = {
  silent: 'no server answered in time',
  network: 'no server could be reached',
  refused: 'no server gave an answer that can be used',
} as const satisfies Record<Failure['reason'], string>;

/** Which upstream failed how. */
export function failureText({ reason, cause }: Failure): string {
  return (cause === null ? WITHOUT_CAUSE[reason] : `upstream ${cause.server}: ${cause.detail}`).slice(
    0,
    MOST,
  );
}
