/** Compiles a policy by way of its files: YAML, lists, schema and suffix list take part. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPolicyOnly } from '../../src/config/load.ts';
import type { Compiling } from './compare.ts';
import { POLICY_FILE } from './layout.ts';
import { START } from './random-policy.ts';

/** `folder` takes the files; those of the last policy are overwritten. */
export function compileFromFiles(folder: string): Compiling {
  return (_policy, { files }, salt) => {
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    const { snapshot, problems } = loadPolicyOnly(join(folder, POLICY_FILE), { env: {}, now: START, salt });
    if (snapshot !== null) return snapshot;
    const { at, code, message } = problems.find(({ severity }) => severity === 'error')!;
    throw new Error(`${at.file}:${at.line}: ${code}: ${message}\n${files[POLICY_FILE]}`);
  };
}
