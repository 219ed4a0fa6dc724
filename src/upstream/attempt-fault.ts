import type { UpstreamCause } from '../resolve/ports.ts';
import { helpOfNoOpt, mayPass, type Said, saidText } from './said.ts';
import type { Server } from './upstream-server.ts';

/** How an attempt failed. */
export interface AttemptFault {
  /** `malformed`: what came cannot be read or used, and the next try may well be better. */
  readonly reason: 'network' | 'refused' | 'malformed';
  readonly cause: UpstreamCause;
  /** Whether the same question without OPT may be answered: `likely` where the server says so, `maybe` where it knows no EDNS. */
  readonly withoutOpt: 'likely' | 'maybe' | 'no';
  /** SERVFAIL or REFUSED: it may well have passed a moment later. */
  readonly mayPass: boolean;
}

/** A fault that no code of the server's tells. */
export function faultOf(reason: AttemptFault['reason'], detail: string, { label }: Server): AttemptFault {
  return { reason, cause: { server: label, detail, ede: -1 }, withoutOpt: 'no', mayPass: false };
}

/** The server has said that it does not answer; `plain`: it was asked without OPT. */
export function declined(said: Said, { label, opt }: Server, plain: boolean): AttemptFault {
  const cause = { server: label, detail: saidText(said), ede: said.ede };
  const withoutOpt = plain ? 'no' : helpOfNoOpt(said, opt.tolerant);
  return { reason: 'refused', cause, withoutOpt, mayPass: mayPass(said) };
}

/** How a question goes to a server. */
export interface AttemptForm {
  /** Keeps no process alive: for a probe. */
  readonly background: boolean;
  /** Without OPT. */
  readonly plain: boolean;
  /** What came of the same question with OPT, where this one is to show that the server knows none; empty otherwise. */
  readonly plainWhy: string;
  /** The server has said no to this very question: that it does so again is no other sign of how it is. */
  readonly again: boolean;
}

/** How a server is asked that is not known to be without OPT. */
export const WITH_OPT: AttemptForm = { background: false, plain: false, plainWhy: '', again: false };
/** And once more. */
export const ONCE_MORE: AttemptForm = { ...WITH_OPT, again: true };
