import type { AnswerFinding, CertificateFinding } from '../resolve/ports.ts';
import type { Turn } from '../resolve/story/turn.ts';

export interface StoryFinding {
  readonly kind: AnswerFinding | CertificateFinding;
  readonly identity: string;
  /** The identity that has the client's address, where its certificate is another's. */
  readonly other: string | null;
  /** The first names of the client's certificate, its fingerprint ahead; empty without one. */
  readonly certificate: readonly string[];
  /** Wire name in lower case, good during the call. */
  readonly name: Uint8Array;
  readonly type: number;
  /** The source address may be forged: nobody is to be blamed for it. */
  readonly unproven: boolean;
}

/** Of a certificate, in a finding. */
const SHOWN_NAMES = 4;
const NONE: readonly StoryFinding[] = [];

/**
 * What there is to tell of a turn when it was decided, and when it ended; each finding comes in one of the two. A doubt about
 * a certificate that arose while a question waited for its answer comes at its end.
 */
export function findingsOf(turn: Turn, moment: 'decided' | 'ended'): readonly StoryFinding[] {
  const { asker, course, end, fetched } = turn;
  const doubt = (moment === 'decided') === (fetched.round === 0) ? asker.doubt : null;
  const audited = moment === 'decided' && course.isAudited;
  const ending = moment === 'ended' ? end.finding : null;
  if (doubt === null && !audited && ending === null) return NONE;
  const found: StoryFinding[] = [];
  if (doubt !== null) found.push(finding(turn, doubt));
  if (audited) found.push(finding(turn, 'would_deny'));
  if (ending !== null) found.push(finding(turn, ending));
  return found;
}

function finding({ asker, query }: Turn, kind: StoryFinding['kind']): StoryFinding {
  const { standing, disagrees: other, proven, client } = asker;
  return {
    kind,
    identity: standing.identity.name,
    other,
    certificate: client.credential?.names.slice(0, SHOWN_NAMES) ?? [],
    name: query.name.subarray(0, query.nameLength),
    type: query.type,
    unproven: !proven,
  };
}
