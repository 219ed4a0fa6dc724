import { lstatSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Command, Option } from 'commander';
import { makeFolder } from '../../journal/folder.ts';
import { EXIT_GOOD, EXIT_PROBLEMS, type Terminal } from '../terminal.ts';
import { filesFor, USES, type Use } from './init-files.ts';

/** Folders of a config are for everybody to read, as far as the umask lets them. */
const MODE = 0o777;

export function initVerb(terminal: Terminal): Command {
  return new Command('init')
    .description('Write a small server file and policy to begin with. Nothing is overwritten.')
    .argument('[dir]', 'the folder to write into', 'config')
    .addOption(new Option('--for <use>', 'what namegate is for').choices(Object.keys(USES)).default('runner'))
    .addHelpText(
      'after',
      `\nUses:
${Object.entries(USES)
  .map(([use, what]) => `  ${use.padEnd(12)}${what}`)
  .join('\n')}

Examples:
  $ namegate init
  $ namegate init /etc/namegate --for containers
  $ namegate init --for dot`,
    )
    .action((dir: string, options: { for: Use }) => {
      terminal.code = init(terminal, dir, options.for);
    });
}

/** A folder that holds one of the files is left as it is. */
function init(terminal: Terminal, dir: string, use: Use): number {
  const files = Object.entries(filesFor(use, Date.now())).map(([name, file]) => ({
    path: join(dir, name),
    ...file,
  }));
  const there = files.filter(({ path }) => isThere(path));
  for (const { path } of there) terminal.complain(`${path} is there already: nothing was written`);
  if (there.length > 0) {
    terminal.complain('Name another folder, or move that one away.');
    return EXIT_PROBLEMS;
  }
  for (const { path, text, mode } of files) {
    try {
      makeFolder(dirname(path), MODE);
      writeFileSync(path, text, { flag: 'wx', mode });
    } catch (error) {
      terminal.complain(`${path} cannot be written: ${(error as Error).message}`);
      return EXIT_PROBLEMS;
    }
    terminal.print(`wrote ${path}`);
  }
  terminal.print(
    `\nNext:\n${nextCommands(dir, use)
      .map((line) => `  ${line}`)
      .join('\n')}`,
  );
  return EXIT_GOOD;
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // What is in the way shows when the file is written.
    return false;
  }
}

/**
 * The words that call namegate in a shell in `folder`, where `program` is the file that runs: a checkout puts no command on the
 * PATH, nor does a package that is installed in a project.
 */
export function commandFor(
  program: string,
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  if (env['npm_command'] === 'exec') return ['npx', 'namegate'];
  const root = dirname(dirname(program));
  if (root === join(folder, 'node_modules', 'namegate')) return ['npx', 'namegate'];
  return program.endsWith(join('src', 'main.ts'))
    ? [relative(folder, join(root, 'bin', 'namegate.js'))]
    : ['namegate'];
}

/** Three commands that work when they are typed where this one was. */
function nextCommands(dir: string, use: Use): string[] {
  const shell = (path: string): string =>
    /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
  const namegate = commandFor(process.argv[1] ?? '', process.cwd(), process.env)
    .map(shell)
    .join(' ');
  const config = `--config ${shell(join(dir, 'namegate.yaml'))}`;
  const check = `${namegate} check ${config}`;
  const serve = `${namegate} serve ${config}`;
  if (use === 'dot') return [`sh ${shell(join(dir, 'make-certificates.sh'))}`, check, serve];
  return [check, serve, `${namegate} query hello.namegate.example ${config}`];
}
