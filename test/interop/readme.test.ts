import { readFileSync } from 'node:fs';
import t from 'tap';
import { consoleBlocks, linesContained, page, USER_PAGES } from '../docs.ts';
import { namegate } from './peers.ts';
import { missing, run } from './process.ts';

/** Lists stand beside the default policy, and here its rules do not need them. */
const POLICY = readFileSync('config/policy/default.yaml', 'utf8').replace(/^ *names_from: .*\n/gm, '');

t.test('dig prints what the pages show', { skip: missing('dig') }, async (t) => {
  // Nobody answers at this upstream, which the lines of the pages survive.
  const server = await namegate(t, { policy: POLICY, upstream: '["udp://127.0.0.1:9"]' });
  const shown = USER_PAGES.flatMap((path) =>
    consoleBlocks(page(path), 'dig').map((one) => ({ path, ...one })),
  );
  t.ok(shown.length > 2);
  for (const { path, command, expected } of shown) {
    t.match(command, /^dig @127\.0\.0\.1 -p 5300 /, 'the form that CI looks for');
    t.not(expected.join(''), '', 'the page says what comes');
    const words = command.replace('@127.0.0.1 -p 5300', `@${server.host} -p ${server.port}`).split(' ');
    const { stdout } = await run(words);
    t.ok(linesContained(stdout, expected), `${path}: ${command} prints\n${stdout}`);
  }
});
