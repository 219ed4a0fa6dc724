import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { TAIL_VERDICTS, type TailEvent } from '../../history/tail.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { AdminClient, type AdminClientOptions, withAdminOptions } from '../admin/admin-client.ts';
import { EventStream, type StreamEvent } from '../admin/event-stream.ts';
import { given } from '../given.ts';
import { count as counted, EXIT_PROBLEMS, escapeText, type Terminal } from '../terminal.ts';

/** Before a connection that was lost is made again. */
const RETRY_MS: Milliseconds = 2_000;

interface TailOptions extends AdminClientOptions {
  readonly identity?: string;
  readonly verdict?: string;
  readonly name?: string;
  readonly limit?: string;
}

/** Decisions as they are made. */
export function tailVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('tail').description('Print decisions as they are made, until it is interrupted.'),
  )
    .option('--identity <name>', 'of one identity')
    .option('--verdict <words>', `some of ${TAIL_VERDICTS.join(', ')}, with commas`)
    .option('--name <pattern>', 'a name, *.NAME for one label below, **.NAME for all below')
    .option('--limit <number>', 'end after so many lines')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate tail --verdict deny,contain
  $ namegate tail --identity payments-build --name '**.example.net' --json`,
    )
    .action(async (options: TailOptions) => {
      const { identity, verdict, name, limit } = options;
      const wrong = wrongOf(options);
      const client = wrong ?? AdminClient.from(options);
      if (typeof client === 'string') {
        terminal.code = terminal.usage('tail', client);
        return;
      }
      const query = new URLSearchParams(given({ identity, verdict, name }));
      const shown = new Lines(terminal, options.json === true, Number(limit ?? Number.POSITIVE_INFINITY));
      terminal.code = await watch(terminal, client, `/v1/tail?${query}`, shown);
    });
}

function wrongOf({ verdict, limit }: TailOptions): string | null {
  const strange = verdict?.split(',').find((word) => !TAIL_VERDICTS.some((known) => known === word));
  if (strange !== undefined)
    return `--verdict ${strange}: write some of ${TAIL_VERDICTS.join(', ')}, with commas`;
  return limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit) ? `--limit ${limit}: write a number` : null;
}

/** Goes on behind the last event when the connection is lost; gives the exit code. */
async function watch(terminal: Terminal, client: AdminClient, path: string, shown: Lines): Promise<number> {
  const stream = new EventStream();
  for (let isFirst = true; ; isFirst = false) {
    stream.begin();
    const answer = await client.follow(path, stream.lastId, (piece) => {
      for (const event of stream.take(piece)) if (!shown.take(event)) return false;
      return true;
    });
    if (shown.isFull) return 0;
    if (answer.kind !== 'good') {
      const why = answer.kind === 'refused' ? answer.detail : answer.reason;
      // Where nobody answers any more, the server may be started again.
      if (isFirst || (answer.kind === 'refused' && answer.status < 500)) {
        terminal.complain(`namegate tail: ${escapeText(why)}`);
        return EXIT_PROBLEMS;
      }
    }
    await pause(RETRY_MS);
  }
}

/** What is printed of a stream. */
class Lines {
  readonly #terminal: Terminal;
  readonly #isJson: boolean;
  #left: number;

  constructor(terminal: Terminal, isJson: boolean, most: number) {
    this.#terminal = terminal;
    this.#isJson = isJson;
    this.#left = most;
  }

  get isFull(): boolean {
    return this.#left <= 0;
  }

  /** Whether there is room for more. */
  take({ event, data }: StreamEvent): boolean {
    if (this.isFull) return false;
    if (event === 'skipped') this.#skipped(data);
    else if (event === 'decision') {
      this.#terminal.print(this.#isJson ? data : lineOf(this.#terminal, JSON.parse(data) as TailEvent));
      this.#left--;
    }
    return !this.isFull;
  }

  #skipped(data: string): void {
    const { events } = JSON.parse(data) as { readonly events: number | null };
    const many = events === null ? 'what was decided meanwhile' : counted(events, 'decision');
    this.#terminal.complain(`namegate tail: ${many} skipped: namegate keeps the last ones alone`);
  }
}

/** Nothing in it can move the cursor: names, jobs and words of certificates are what clients wrote. */
function lineOf(terminal: Terminal, event: TailEvent): string {
  const { time, identity, verdict, name, type, count } = event;
  const text = (field: string): string => (typeof event[field] === 'string' ? String(event[field]) : '');
  const stage = text('stage');
  const rest = [
    ...(count === 1 ? [] : [`${count} times`]),
    ...(text('lease') === '' ? [] : [text('lease')]),
    `from ${text('client') || '-'}`,
    ...(event['proven'] === false ? ['not proven'] : []),
    ...(event['expected'] === true ? ['expected'] : []),
    ...(text('approved_stage') === '' ? [] : [`approved at stage ${text('approved_stage')}`]),
    ...(event['folded'] === true ? ['with all below it'] : []),
  ];
  const style = verdict === 'deny' || verdict === 'contain' ? 'red' : 'dim';
  const who = stage === '' ? identity : `${identity} at ${stage}`;
  return [
    escapeText(time.slice(11, 23)),
    terminal.paint(style, escapeText(verdict)),
    escapeText(`${name} ${type}`),
    escapeText(`(${who}; ${rest.join('; ')})`),
  ].join(' ');
}
