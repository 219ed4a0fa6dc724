import { Command } from 'commander';
import type { Done } from './terminal.ts';

export function doctorVerb(_done: Done): Command {
  return new Command('doctor').description('Run inside a job: does its DNS go through namegate, and only there?');
}
