import { spawnSync } from 'node:child_process';
import type { Seconds } from '../../wire/quantity.ts';

/** Seconds that nft(8) has. */
const PATIENCE_S: Seconds = 20;

/** Hands a script to nft(8), which puts all of it in force or nothing. Returns null, or what nft says is wrong. */
export function runNft(script: string): string | null {
  const options = {
    input: script,
    timeout: PATIENCE_S * 1000,
    encoding: 'utf8',
    env: { PATH, LC_ALL: 'C' },
  } as const;
  const { error, status, signal, stderr } = spawnSync('nft', ['-f', '-'], options);
  if (error !== undefined) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'nft is not installed; install the package nftables' : `nft: ${error.message}`;
  }
  if (status === 0) return null;
  const said = stderr.trim().split('\n').slice(0, 3).join(' ');
  return said === '' ? `nft ended with ${signal ?? status}` : said;
}

/** Where daemons and nft are, whoever calls. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
