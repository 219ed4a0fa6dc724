import { globSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { address, api, CLIENTS, DNS, JOB, lab, main } from './enforce-lab.ts';
import { missingForRoot, must, start, until } from './process.ts';

const LIBRARY = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0] ?? '';

/**
 * The wall clocks of server and enforcer jump by days, as when an administrator or NTP sets the time; the clock that timers run
 * on goes on. No grant gets another end. Rules end by the wall clock, and so does what they gave.
 */
t.test(
  'grants under a wall clock that jumps',
  { skip: LIBRARY === '' ? 'not installed: faketime' : missingForRoot('ip', 'nft', 'sysctl', 'setpriv') },
  async (t) => {
    const here = await lab(t);
    const { job, folder, host } = here;
    const offset = join(folder, 'offset');
    const jump = async (days: string): Promise<void> => {
      writeFileSync(`${offset}.new`, days);
      renameSync(`${offset}.new`, offset);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    };
    const env = {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: offset,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
    await jump('+0');
    for (const [verb, side, said] of [
      ['enforce', 'enforcer', 'judging'],
      ['serve', 'server', '"event":"ready"'],
    ] as const) {
      await here[side].stop();
      const command = [process.execPath, main, verb, '--config', join(folder, 'namegate.yaml')];
      const peer = start(t, command, { namespace: host, env });
      await until(() => peer.log().includes(said), peer.log, 60_000);
      here[side] = peer;
    }
    const tcp = async (where: string, from = JOB) =>
      (await job.do({ deed: 'tcp', host: where, port: 443, from })).result;
    const ask = async (name: string, from = JOB) =>
      (await job.do({ deed: 'dns', name: `${name}.lab.example`, type: 'A', server: DNS, from })).result;
    /** Seconds that the kernel still holds a grant; 0 where it has none. */
    const left = async (where: string): Promise<number> => {
      const set = await must(['nft', 'list', 'set', 'inet', 'namegate', 'grants4'], { namespace: host });
      const held = new RegExp(
        `\\. ${where.replaceAll('.', '\\.')} \\. tcp \\. 443 .*? expires (?:(\\d+)m)?(?:(\\d+)s)?`,
      );
      const [, minutes = 0, seconds = 0] = held.exec(set.replaceAll(/\s+/g, ' ')) ?? [];
      return 60 * Number(minutes) + Number(seconds);
    };

    const client = CLIENTS[0]!;
    const lease = { identity: 'job', addresses: [client], ttl: 600 };
    await api(folder, 'POST', '/v1/leases', lease);
    for (const days of ['+0', '-3d', '+0']) {
      await jump(days);
      t.equal(await ask('n1'), 'ok');
      t.equal(await ask('n1', client), 'ok');
      const before = await left(address(1));
      t.ok(before > 100, `${before} s are left`);
      await jump(days === '-3d' ? '+0' : '-3d');
      t.equal(await tcp(address(1)), 'ok', 'it is open as before');
      t.equal(await tcp(address(1), client), 'ok', 'of a lease too');
      const after = await left(address(1));
      t.ok(after <= before && after > before - 30, `${after} s are left`);
    }
    t.equal(await ask('n2'), 'ok');
    t.equal(await ask('ends'), 'ok');
    t.equal(await tcp('198.51.100.2'), 'ok');
    await jump('+2d');
    t.equal(await tcp(address(2)), 'ok', 'what no rule ends goes on');
    t.ok((await left(address(2))) > 100);
    t.equal(await ask('n3'), 'ok');
    t.equal(await tcp(address(3)), 'ok', 'and more is granted');
    t.ok((await left(address(3))) <= 361, 'for no longer than ever');
    t.not(await ask('ends'), 'ok', 'a rule that has ended');
    await until(async () => (await tcp('198.51.100.2')) === 'ECONNREFUSED', here.server.log, 5_000).catch(
      () => t.fail('what a rule gave outlives it'),
    );
  },
);
