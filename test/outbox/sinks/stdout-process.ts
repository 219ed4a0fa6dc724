import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '../../../src/outbox/event-store.ts';
import { Sinks } from '../../../src/outbox/sinks/sinks.ts';
import { fastClock, RIG_SETTING, TERMS } from './rig.ts';

/**
 * A process whose standard output is a sink: `COUNT` events each time that a line comes in. Says on its standard error how the
 * sink is, and `done N` once N events are acknowledged. Ends with its standard input.
 */
const count = Number(process.argv[2]);
const folder = mkdtempSync(join(tmpdir(), 'namegate-stdout-'));
const store = new Store({
  path: join(folder, 'feed.db'),
  setting: RIG_SETTING,
  server: 'ns1',
  version: '0',
  now: Date.now,
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const sinks = new Sinks(store, ({ status, reason }) => say(`${status} ${reason}`), fastClock(25));
store.configure(RIG_SETTING, [{ name: 'siem', kinds: ['deny'] }]);
await sinks.configure({ sinks: [{ ...TERMS, type: 'stdout' }], isDurable: false });

let told = 0;
const look = setInterval(() => {
  const acknowledged = store.cursor('siem');
  if (acknowledged !== store.last || acknowledged === told) return;
  told = acknowledged;
  say(`done ${told}`);
}, 10);
process.stdin.on('data', () => {
  const drafts = Array.from({ length: count }, () => ({
    kind: 'deny' as const,
    at: Date.now(),
    identity: 'me',
    name: 'evil.example',
    text: 'x'.repeat(500),
  }));
  store.commit({ drafts, losses: [], state: new Map() });
  sinks.wake();
});
process.stdin.on('end', async () => {
  clearInterval(look);
  await sinks.close();
  store.close();
  rmSync(folder, { recursive: true, force: true });
});
