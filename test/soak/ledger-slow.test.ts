import t from 'tap';
import { paced } from '../server/channel-rig.ts';

/** A sender that outlives what looks at rates: its bits are counted all the same. It takes two minutes. */

t.test('one question in two seconds', (t) => paced(t, 2_000));
