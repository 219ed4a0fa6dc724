import { unreachable } from '../../wire/quantity.ts';
/**
 * Who opened a lease. Each kind carries what names it: there is no owner without a name, so that two that have none can never
 * be taken for one another.
 */
export type Owner =
  | { readonly kind: 'socket' }
  /** The holder of a token of the token file, by its name. */
  | { readonly kind: 'token'; readonly name: string }
  | JobOwner;

/** A job, by `Job.owner`: a hash of its issuer and of what names the job there. */
export interface JobOwner {
  readonly kind: 'job';
  readonly key: string;
}

/** Whether both are the same opener. */
export function isSameOwner(one: Owner, other: Owner): boolean {
  switch (one.kind) {
    case 'socket':
      return other.kind === 'socket';
    case 'token':
      return other.kind === 'token' && other.name === one.name;
    case 'job':
      return other.kind === 'job' && other.key === one.key;
    default:
      unreachable(one);
  }
}

const TOKEN_PREFIX = 'token:';

/** The owner of a lease, as a journal has it: `by` is the opener's name for people, `holder` a job's key. */
export function ownerFrom({ by, holder }: { readonly by: string; readonly holder: string | null }): Owner {
  if (holder !== null) return { kind: 'job', key: holder };
  return by.startsWith(TOKEN_PREFIX)
    ? { kind: 'token', name: by.slice(TOKEN_PREFIX.length) }
    : { kind: 'socket' };
}

/** The other way round: `holder` of a journal's record. */
export function holderOf(owner: Owner): string | null {
  return owner.kind === 'job' ? owner.key : null;
}

/** The name of a token's holder in logs and as approver. */
export function tokenName(name: string): string {
  return `${TOKEN_PREFIX}${name}`;
}
