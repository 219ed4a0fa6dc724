/** Reads a Dockerfile as far as this project's needs go: stages and their instructions, continuations and comments. */

export interface Instruction {
  /** Upper case. */
  readonly keyword: string;
  /** `--name=value` in front. */
  readonly flags: Readonly<Record<string, string>>;
  /** All that follows the flags, continuation lines joined by a blank. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

export interface Stage {
  /** Of `AS name`, or its number. */
  readonly name: string;
  readonly image: string;
  /** Without FROM. */
  readonly instructions: readonly Instruction[];
}

/** Build arguments before the first FROM are put in where FROM names them. Throws on what it does not understand. */
export function stagesOf(text: string): Stage[] {
  const stages: { name: string; image: string; instructions: Instruction[] }[] = [];
  const defaults = new Map<string, string>();
  for (const instruction of instructionsOf(text)) {
    const { keyword } = instruction;
    if (keyword === 'FROM') {
      const [image = '', as, name] = instruction.text.split(/\s+/);
      if (as !== undefined && as.toUpperCase() !== 'AS')
        throw new Error(`line ${instruction.line}: FROM … ${as}`);
      const known = image.replace(/\$\{(\w+)\}/g, (_, argument: string) => defaults.get(argument) ?? '');
      stages.push({ name: name ?? `${stages.length}`, image: known, instructions: [] });
    } else if (stages.length > 0) {
      stages.at(-1)?.instructions.push(instruction);
    } else if (keyword === 'ARG') {
      const [name = '', value = ''] = instruction.text.split('=');
      defaults.set(name, value);
    } else {
      throw new Error(`line ${instruction.line}: ${keyword} before FROM`);
    }
  }
  return stages;
}

/** The words of an instruction in JSON form (`CMD ["a", "b"]`), or null of one in shell form. */
export function wordsOf(text: string): string[] | null {
  return text.startsWith('[') ? (JSON.parse(text) as string[]) : null;
}

/**
 * Whether `.dockerignore` leaves a path, with `/`, in the build's context. Patterns are names and folders with `*`;
 * the last one that matches the path or a folder above it decides.
 */
export function inContext(ignore: string, path: string): boolean {
  let kept = true;
  for (const line of ignore.split('\n').map((text) => text.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const pattern = line.replace(/^!/, '').replace(/\/$/, '');
    const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*');
    if (new RegExp(`^${expression}(?:/|$)`).test(path)) kept = line.startsWith('!');
  }
  return kept;
}

function instructionsOf(text: string): Instruction[] {
  const found: Instruction[] = [];
  let open: { line: number; text: string } | null = null;
  for (const [index, raw] of text.split('\n').entries()) {
    if (/^\s*#/.test(raw) || (open === null && raw.trim() === '')) continue;
    const ends: boolean = !raw.trimEnd().endsWith('\\');
    const part = raw.trim().replace(/\\$/, '').trim();
    open =
      open === null ? { line: index + 1, text: part } : { line: open.line, text: `${open.text} ${part}` };
    if (!ends) continue;
    found.push(instruction(open.text, open.line));
    open = null;
  }
  if (open !== null) throw new Error(`line ${open.line}: no end`);
  return found;
}

function instruction(text: string, line: number): Instruction {
  const [, keyword, rest] = /^([A-Za-z]+)\s+(.*)$/.exec(text) ?? [];
  if (keyword === undefined || rest === undefined) throw new Error(`line ${line}: not an instruction`);
  const flags: Record<string, string> = {};
  let left = rest;
  for (let flag = FLAG.exec(left); flag !== null; flag = FLAG.exec(left)) {
    flags[flag[1] as string] = flag[2] as string;
    left = left.slice(flag[0].length);
  }
  return { keyword: keyword.toUpperCase(), flags, text: left, line };
}

const FLAG = /^--([a-z-]+)=(\S+)\s+/;
