import { Command } from 'commander';
import type { Done } from './terminal.ts';

export function queryVerb(_done: Done): Command {
  return new Command('query').description('Ask a DNS server one question, and print what it says.');
}
