import t from 'tap';
import { type Cells, FAILURES } from './cells.ts';
import { connected } from './connected-cells.ts';
import { FILE, STDOUT, UDP } from './local-cells.ts';
import { CONNECTED } from './receivers.ts';

// They wait more than they work.
t.jobs = 3;

/** Every sink, and every way in which its receiver fails: nothing is lost, and it ends well; or why it cannot fail so. */

const SINKS: Readonly<Record<string, Cells>> = {
  file: FILE,
  stdout: STDOUT,
  'syslog over udp': UDP,
  ...Object.fromEntries(
    Object.entries(CONNECTED).map(([name, kind]) => [name, connected(kind, name.startsWith('otlp'))]),
  ),
};

for (const [sink, cells] of Object.entries(SINKS)) {
  for (const failure of FAILURES) {
    const cell = cells[failure];
    if (typeof cell !== 'string') t.test(`${sink}: ${failure}`, cell);
    else t.comment(`${sink}: ${failure}: it cannot be: ${cell}`);
  }
}
