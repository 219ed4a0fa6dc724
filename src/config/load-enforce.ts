import type { Problem } from '../policy/problem.ts';
import type { EnforceSetting } from '../settings/enforce-settings.ts';
import { FileReader } from './files/files.ts';
import { readYaml } from './files/yaml.ts';
import { Problems, sortProblems, TextFault } from './problems.ts';
import { serverSchema } from './schema/server-schema.ts';
import { checkShape } from './schema/shape.ts';
import { type Endpoint, parseListener } from './server/endpoint.ts';
import { readEnforce } from './server/read-enforce.ts';

/** What the firewall's keeper reads of a server file: it opens no key, no policy and no list. */
export interface EnforceLoad {
  readonly problems: readonly Problem[];
  /** Null where there is an error, or no `enforce`. */
  readonly setting: EnforceSetting | null;
  /** Where namegate listens, as the file says. */
  readonly listeners: readonly Endpoint[];
  readonly sources: FileReader['sources'];
}

/** Reads `enforce` and `listen` of a server file. Never throws for what stands there. */
export function loadEnforce(serverFile: string): EnforceLoad {
  const problems = new Problems();
  const reader = new FileReader();
  const text = reader.readText(serverFile, { file: serverFile, line: 1, column: 1 }, problems);
  const yaml = text === null ? null : readYaml(serverFile, text, problems);
  const written = yaml === null ? null : checkShape(serverSchema, yaml, problems);
  let setting: EnforceSetting | null = null;
  const listeners: Endpoint[] = [];
  if (yaml !== null && written !== null) {
    setting = readEnforce(written.enforce, { marks: yaml.marks, problems });
    for (const entry of written.listen ?? []) {
      const url = typeof entry === 'string' ? entry : entry?.on;
      const endpoint = url === undefined ? null : parseListener(url);
      // What is wrong with a listener is the server's to tell.
      if (endpoint !== null && !(endpoint instanceof TextFault)) listeners.push(endpoint);
    }
  }
  const list = sortProblems(problems.list);
  const good = !list.some(({ severity }) => severity === 'error');
  return { problems: list, setting: good ? setting : null, listeners, sources: reader.sources };
}
