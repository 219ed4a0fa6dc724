import { Histogram } from '../metric/histogram.ts';

/** What was counted of one server since it was first named. */
export class ServerCounts {
  /** Times that it was asked, probes included. */
  asked = 0;
  answered = 0;
  /** Times that it failed, by how: it said no, could not be reached, or was silent for longer than it may be. */
  readonly failures = { refused: 0, network: 0, silent: 0 };
  /** From a question to its good answer. */
  readonly times = new Histogram();
}
