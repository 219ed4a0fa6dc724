import { readFileSync } from 'node:fs';
import t from 'tap';
import { TELLINGS } from '../../src/outbox/sightings.ts';

t.test('the docs list every finding of the feed with its severity', async (t) => {
  const docs = readFileSync(new URL('../../docs/alerts.md', import.meta.url), 'utf8');
  const rows = [...docs.matchAll(/^\| `([a-z_-]+)` \| (low|operations|medium|high) \| /gm)];
  t.strictSame(
    rows.map(([, finding, severity]) => [finding, severity]).sort(),
    Object.entries(TELLINGS)
      .map(([finding, { severity }]) => [finding, severity])
      .sort(),
  );
});
