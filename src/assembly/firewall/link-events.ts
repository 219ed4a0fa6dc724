import type { HeldLine, RefusedLine, RulesLine } from '../../resolve/grants/grant-line.ts';

/** What a resolver that has started anew hears of the grants that were given before. */
export interface HeldEvents {
  held(line: HeldLine): void;
  /** All of it has been told, and a snapshot follows. */
  heldEnd(): void;
}

export interface LinkEvents extends HeldEvents {
  /** The enforcer is there and has what is live, or is gone; `why` says what went wrong. */
  changed(up: boolean, why: string): void;
  rules(line: RulesLine): void;
  refused(line: RefusedLine): void;
  /** Refused packets of which no line tells. */
  untold(count: number): void;
  fault(text: string): void;
  bug(error: unknown): void;
}
