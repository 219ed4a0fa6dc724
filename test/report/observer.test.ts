import t from 'tap';
import type { Log } from '../../src/report/log.ts';
import { StoryObserver } from '../../src/report/observer.ts';
import type { Client } from '../../src/resolve/ports.ts';
import { Turn } from '../../src/resolve/story/turn.ts';
import { wire } from '../policy/build.ts';
import { inForceOf } from './in-force.ts';

/** Findings: each is told once an hour, and nobody's hide another's. */

const HOUR = 3_600_000;
const client = { transport: 'udp', spoofable: true, credential: null } as unknown as Client;

function rig() {
  const told: Record<string, unknown>[] = [];
  const log = { warn: (_event: string, _text: string, fields: object) => void told.push({ ...fields }) };
  const clock = { now: 0 };
  const observer = new StoryObserver(log as unknown as Log, () => clock.now);
  const names = ['loud', 'quiet', ...Array.from({ length: 100 }, (_, i) => `i${i}`)];
  const inForce = inForceOf(names);
  const turn = new Turn(inForce);
  const find = (who: string, name: string, proven = true): void => {
    turn.begin(inForce, client, Buffer.alloc(0));
    turn.asker.standing = inForce.standings.named(who);
    turn.asker.proven = proven;
    const octets = wire(name);
    turn.query.name.set(octets);
    turn.query.nameLength = octets.length;
    turn.query.type = 1;
    turn.end.finding = 'private-address';
    observer.ended(turn);
  };
  return { told, clock, observer, find };
}

t.test('5,000 different findings of one identity do not hide those of another', async (t) => {
  const { told, find, observer } = rig();
  for (let i = 0; i < 5000; i++) find('loud', `n${i}.example`);
  t.equal(told.length, 128, 'one identity has room for 128');
  for (let i = 0; i < 5; i++) find('quiet', `q${i}.example`);
  t.same(
    told.slice(128).map(({ identity: who, name }) => `${who} ${name}`),
    [0, 1, 2, 3, 4].map((i) => `quiet q${i}.example`),
  );
  told.length = 0;
  observer.tellFolded();
  t.same(told, [{ finding: 'folded', identity: 'loud', folded: 5000 - 128 }]);
  observer.tellFolded();
  t.equal(told.length, 1, 'once');
});

t.test('of all identities 2,048 are remembered, and whoever comes late has its share', async (t) => {
  const { told, find } = rig();
  for (let who = 0; who < 16; who++) for (let i = 0; i < 128; i++) find(`i${who}`, `n${i}.example`);
  t.equal(told.length, 2048);
  told.length = 0;
  for (let i = 0; i < 128; i++) find('quiet', `q${i}.example`);
  t.equal(told.length, Math.floor(2048 / 17), 'a seventeenth of it, taken from those who have most');
  told.length = 0;
  for (let who = 0; who < 16; who++) for (let i = 200; i < 300; i++) find(`i${who}`, `n${i}.example`);
  t.ok(told.length <= 16, `those that had most have no more than before: ${told.length}`);
});

t.test('a finding is told once an hour, and its place is free again after that', async (t) => {
  const { told, find, clock } = rig();
  for (const at of [0, 1, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR]) {
    clock.now = at;
    find('loud', 'a.example');
  }
  t.equal(told.length, 3);
  for (let i = 0; i < 200; i++) find('loud', `n${i}.example`);
  t.equal(told.length, 3 + 127);
  clock.now += HOUR;
  for (let i = 0; i < 200; i++) find('loud', `m${i}.example`);
  t.equal(told.length, 3 + 127 + 128);
});

t.test(
  'what a forged source may have sent is counted by identity, and its names stand nowhere',
  async (t) => {
    const { told, find, observer } = rig();
    for (let i = 0; i < 3000; i++) find('loud', `invented${i}.example`, false);
    t.same(told, []);
    observer.tellFolded();
    t.same(told, [{ finding: 'folded', identity: 'loud', unproven: 3000 }]);
  },
);
