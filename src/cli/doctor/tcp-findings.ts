import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sentToTcp } from '../../assembly/without-tcp.ts';
import type { ListenAt, ListenSetting } from '../../settings/settings.ts';
import { type Finding, note } from './finding.ts';

/** What `doctor` says of TCP: which listeners send clients there, and whether the C library here could follow. */
export function tcpFindings(listen: readonly (ListenAt | ListenSetting)[], musl: string | null): Finding[] {
  const findings: Finding[] = [];
  const fix =
    'where the network drops forged sources, write spoofable: { except: [PREFIX] } on that listener';
  for (const setting of listen) {
    if (setting.protocol !== 'udp' || !('spoofable' in setting)) continue;
    const whom = sentToTcp(setting);
    if (whom === null) continue;
    const message = `udp on ${setting.host} port ${setting.port} sends to TCP, for names that are not cached: ${whom}; a resolver without TCP (musl before 1.2.4: Alpine to 3.17) resolves none of these`;
    findings.push(note('tcp', message, fix));
  }
  if (musl !== null && isBefore(musl, [1, 2, 4])) {
    const message = `musl ${musl} is here, whose resolver has no TCP: a listener that is spoofable answers its programs cached names alone`;
    findings.push(note('tcp', message, `use an image with musl 1.2.4 or later, or ${fix}`));
  }
  return findings;
}

/** The version of musl in `folder`, as its loader says; null where there is none. */
export function muslVersion(folder = '/lib'): string | null {
  try {
    const loader = readdirSync(folder).find((name) => /^ld-musl-[a-z0-9_]+\.so\.1$/.test(name));
    if (loader === undefined) return null;
    const { stderr } = spawnSync(join(folder, loader), [], { encoding: 'latin1', timeout: 1_000 });
    return /^Version (\d+\.\d+\.\d+)/m.exec(stderr)?.[1] ?? null;
  } catch {
    return null;
  }
}

function isBefore(version: string, wanted: readonly number[]): boolean {
  const parts = version.split('.').map(Number);
  const at = wanted.findIndex((part, i) => parts[i] !== part);
  return at >= 0 && parts[at]! < wanted[at]!;
}
