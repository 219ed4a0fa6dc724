import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Test } from 'tap';
import { find, type Peer, start, until } from './process.ts';

/** Where `.ci/run` unpacks Debian's syslog-ng, which cannot be installed beside rsyslog. */
const UNPACKED = process.env['NAMEGATE_SYSLOG_NG'] ?? '/var/cache/namegate/syslog-ng';
const CONFIGURATION = resolve('packaging/siem/syslog-ng');

/** For a test's `skip`: in CI nothing is skipped. */
export function missingSyslogNg(): false | string {
  const isThere = existsSync(join(UNPACKED, 'usr/sbin/syslog-ng')) || find('syslog-ng') !== null;
  return isThere || process.env['CI'] ? false : 'not installed: syslog-ng';
}

export interface SyslogNg {
  start(): Promise<Peer>;
}

/**
 * syslog-ng with files of packaging/siem/syslog-ng as they are, each included as a configuration of its own would include it.
 * `env`: the variables that they name.
 */
export function syslogNg(t: Test, files: readonly string[], env: Readonly<Record<string, string>>): SyslogNg {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-syslog-ng-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const main = join(folder, 'syslog-ng.conf');
  const includes = files.map((file) => `@include "${join(CONFIGURATION, file)}"`);
  writeFileSync(main, `@version: 3.38\n${includes.join('\n')}\n`);
  const place = {
    control: join(folder, 'control'),
    persist: join(folder, 'persist'),
    pid: join(folder, 'pid'),
  };
  const isUnpacked = existsSync(join(UNPACKED, 'usr/sbin/syslog-ng'));
  const lib = join(UNPACKED, 'usr/lib/syslog-ng');
  const program = isUnpacked
    ? [join(UNPACKED, 'usr/sbin/syslog-ng'), '--module-path', join(lib, '3.38')]
    : ['syslog-ng'];
  const options = [
    ['--foreground', '--no-caps', '--stderr', '--cfgfile', main, '--control', place.control],
    ['--persist-file', place.persist, '--pidfile', place.pid],
  ].flat();
  const paths = isUnpacked
    ? { LD_LIBRARY_PATH: lib, PYTHONPATH: `${join(lib, '3.38/python')}:${CONFIGURATION}` }
    : { PYTHONPATH: CONFIGURATION };
  return {
    start: async () => {
      rmSync(place.control, { force: true });
      const peer = start(t, [...program, ...options], {
        cwd: folder,
        env: { ...env, ...paths, PYTHONDONTWRITEBYTECODE: '1' },
      });
      await until(() => existsSync(place.control) || peer.ended(), peer.log);
      if (peer.ended()) throw new Error(peer.log());
      return peer;
    },
  };
}
