import { fileURLToPath } from 'node:url';
import t from 'tap';
import { namespace } from '../interop/netns.ts';
import { missingForRoot, must } from '../interop/process.ts';

const program = fileURLToPath(new URL('./kernel-program.ts', import.meta.url));

/** What the kernel does with what it is told, in a network namespace of the test: each row is a line that the program prints. */
t.test('the kernel', { skip: missingForRoot('ip', 'nft') }, async (t) => {
  const inside = await namespace(t, 'kernel');
  const said = await must([process.execPath, program], { namespace: inside });
  t.same(said.trim().split('\n'), [
    'loaded: null',
    'granted: null null',
    'held: 10.0.0.2 203.0.113.1 443 for 60 s, 10.0.0.2 203.0.113.2 443 for 60 s',
    'again: null, for 90 s',
    'one bad of three: null, the address, null',
    'held: 3',
    'another firewall reads: 3',
    'end and grant in one: null null, held 1',
    'strangers: 10.0.0.9',
    'refreshes true, destroys true: 0 203.0.113.1 443 for 90 s, 203.0.113.2 443 for 70 s, 203.0.113.3 443 for 60 s',
    'refreshes false, destroys true: 0 203.0.113.1 443 for 90 s, 203.0.113.2 443 for 70 s, 203.0.113.3 443 for 60 s',
    'refreshes true, destroys false: 0 203.0.113.1 443 for 90 s, 203.0.113.2 443 for 70 s, 203.0.113.3 443 for 60 s',
    'refreshes false, destroys false: 0 203.0.113.1 443 for 90 s, 203.0.113.2 443 for 70 s, 203.0.113.3 443 for 60 s',
    'inspected: good, of another server file changed',
    'untouched: ',
    'inspected: gone',
    'flushed: the rules were gone; they were written again',
    'inspected: changed',
    'changed: the rules were changed by somebody else; they were written again',
    'inspected: good',
    'inspected: asleep',
    'asleep: the rules were changed by somebody else; they were written again',
    'a full set: null, the set is full',
  ]);
});
