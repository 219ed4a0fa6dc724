import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { SinkSetting } from '../../../src/settings/alert-settings.ts';
import { allArrived, type Cell, type Cells, NO_CERTIFICATE, NO_LIMIT, NO_TOKEN, trouble } from './cells.ts';
import {
  type Connected,
  clients,
  ENDED,
  filesOf,
  GOOD,
  LATE,
  type Receiver,
  strangers,
} from './receivers.ts';
import { fastClock, once, Rig, until } from './rig.ts';

/** How a receiver fails that a sink is connected to. */
export function connected(kind: Connected, isOtlp: boolean): Cells {
  const certificate = kind.isTls ? GOOD : null;
  /** A sink, and its receiver that is up. */
  const begin = async (t: Test, more: Partial<SinkSetting> = {}, shown = filesOf(t)) => {
    const receiver = kind.make(certificate);
    await receiver.up(t);
    const rig = new Rig(t);
    const setting = (port: number): SinkSetting => ({ ...kind.setting(port, shown), ...more }) as SinkSetting;
    return { rig, receiver, setting };
  };
  const failing =
    (how: Parameters<Receiver['fail']>[0]): Cell =>
    async (t) => {
      const { rig, receiver, setting } = await begin(t);
      receiver.fail(how);
      await rig.use(setting(receiver.port));
      rig.deny(4);
      t.match(await trouble(rig, 'it waits'), /^waiting /);
      receiver.mend();
      rig.deny(4);
      await allArrived(t, rig, receiver, 8);
    };

  return {
    'down at the start': async (t) => {
      const { rig, receiver, setting } = await begin(t);
      receiver.down();
      await rig.use(setting(receiver.port));
      rig.deny(3);
      t.match(await trouble(rig, 'it waits'), /^waiting .*ECONNREFUSED/);
      await receiver.up(t);
      await allArrived(t, rig, receiver, 3);
    },
    'down later': async (t) => {
      const { rig, receiver, setting } = await begin(t);
      await rig.use(setting(receiver.port));
      rig.deny(3);
      await allArrived(t, rig, receiver, 3);
      receiver.down();
      rig.deny(3);
      t.match(await trouble(rig, 'it waits'), /^waiting /);
      await receiver.up(t);
      await allArrived(t, rig, receiver, 6);
    },
    slow: failing('slow'),
    garbage: failing('garbage'),
    'half-open': failing('half'),
    reset: failing('reset'),
    'refused token': isOtlp
      ? async (t) => {
          const tokenFile = join(t.testdir(), 'token');
          writeFileSync(tokenFile, 'old');
          const { rig, receiver, setting } = await begin(t, { tokenFile } as Partial<SinkSetting>);
          receiver.want?.('new');
          await rig.use(setting(receiver.port));
          rig.deny(2);
          t.match(await trouble(rig, 'it is refused'), /^refused .* answers 401$/);
          writeFileSync(tokenFile, 'new');
          await allArrived(t, rig, receiver, 2);
        }
      : NO_TOKEN,
    'certificate ended': kind.isTls
      ? async (t) => {
          await ownCertificate(t, kind);
          await ownClock(t, kind);
          await itsCertificate(t, kind);
        }
      : NO_CERTIFICATE,
    // The disk of the outbox: what was taken cannot be written down.
    'disk full': async (t) => {
      const { rig, receiver, setting } = await begin(t);
      const { advance } = rig.store;
      rig.store.advance = () => {
        throw new Error('database or disk is full');
      };
      await rig.use(setting(receiver.port));
      rig.deny(3);
      t.match(await trouble(rig, 'it waits'), /^waiting database or disk is full/);
      rig.store.advance = advance;
      rig.deny(3);
      await allArrived(t, rig, receiver, 6);
    },
    'too large': isOtlp
      ? async (t) => {
          const { rig, receiver, setting } = await begin(t);
          receiver.want?.(null, 20_000);
          await rig.use(setting(receiver.port));
          rig.deny(6, (n) => (n === 4 ? { text: 'x'.repeat(30_000) } : {}));
          await until('all is acknowledged', () => rig.acknowledged());
          t.strictSame(once(receiver.seqs()), [1, 2, 3, 5, 6]);
          t.match(rig.store.dead('siem', 9), [{ event: { seq: 4 }, reason: /^413 / }]);
        }
      : NO_LIMIT,
  };
}

async function ownCertificate(t: Test, kind: Connected): Promise<void> {
  const receiver = kind.make(GOOD);
  await receiver.up(t);
  const files = filesOf(t);
  files.show(clients.issue(ENDED as never));
  const rig = new Rig(t);
  await rig.use(kind.setting(receiver.port, files));
  rig.deny(2);
  t.match(await trouble(rig, 'it is refused'), /^refused its certificate has ended/);
  files.show(strangers.issue());
  await until('another fault', () => !/has ended/.test(rig.sinks.states[0]?.reason ?? ''));
  t.equal(receiver.seqs().length, 0);
  files.show(clients.issue());
  await rig.use(kind.setting(receiver.port, files));
  await allArrived(t, rig, receiver, 2);
}

/** A machine without a clock of its own starts in 1970: its certificate is good once the time is known. */
async function ownClock(t: Test, kind: Connected): Promise<void> {
  const receiver = kind.make(GOOD);
  await receiver.up(t);
  let now: () => number = () => 0;
  const rig = new Rig(t, { ...fastClock(25), now: () => now() });
  await rig.use(kind.setting(receiver.port, filesOf(t)));
  rig.deny(2);
  t.match(await trouble(rig, 'it is refused'), /^refused its certificate begins on/);
  now = Date.now;
  await allArrived(t, rig, receiver, 2);
}

async function itsCertificate(t: Test, kind: Connected): Promise<void> {
  const late = kind.make(LATE);
  await late.up(t);
  const rig = new Rig(t);
  await rig.use(kind.setting(late.port, filesOf(t)));
  rig.deny(2);
  t.match(await trouble(rig, 'it waits'), /^waiting .*(CERT_HAS_EXPIRED|expired)/);
  t.equal(late.seqs().length, 0, 'nothing was told to it');
  late.down();
  const receiver = kind.make(GOOD);
  receiver.port = late.port;
  await receiver.up(t);
  await allArrived(t, rig, receiver, 2);
}
