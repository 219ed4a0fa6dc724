import { existsSync } from 'node:fs';
import type { DynamicException } from '../../config/policy/exceptions.ts';
import { adminTarget } from '../../config/server/admin-target.ts';
import type { ExplainedState } from '../../policy/explain/explain.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { AdminClient, type AdminClientOptions, askAdmin } from '../admin/admin-client.ts';
import { EXIT_GOOD, EXIT_PROBLEMS, escapeText, serverFile, type Terminal } from '../terminal.ts';

/** Explains a question of whoever holds a lease: the running server knows. Leaves the exit code in the terminal. */
export async function explainLease(
  terminal: Terminal,
  name: string,
  type: string,
  { lease, stage, ...options }: AdminClientOptions & { readonly lease: string; readonly stage?: string },
): Promise<void> {
  const query = new URLSearchParams({ lease, name, type, ...(stage === undefined ? {} : { stage }) });
  const answer = await askAdmin(terminal, 'explain', options, 'GET', `/v1/explain?${query}`, 'verdict');
  if (answer === null) return;
  const { text, ...contract } = answer as { readonly text: string; readonly verdict: string };
  terminal.print(options.json === true ? JSON.stringify(contract) : escapeText(text));
  const good = contract.verdict === 'allow' || contract.verdict === 'local';
  terminal.code = good ? EXIT_GOOD : EXIT_PROBLEMS;
}

/** Milliseconds that a server has to say what it excepts. */
const PATIENCE_MS: Milliseconds = 1_000;

/**
 * What the server of this client excepts beside the files, where it can be asked: explaining goes without it where nobody
 * answers.
 */
export async function liveExceptions(client: AdminClient | null): Promise<DynamicException[]> {
  if (client === null) return [];
  const answer = await client.ask('GET', '/v1/exceptions?ended=true');
  if (answer.kind !== 'good') return [];
  const { exceptions } = answer.body as { readonly exceptions: readonly LiveException[] };
  return exceptions.map(({ id, identity, name, types, expires, reason, approved_by: approvedBy }) => ({
    id,
    identity,
    name,
    types,
    until: Date.parse(expires) / 1000,
    reason,
    approvedBy,
  }));
}

/** The server that runs with this server file, where it has a socket; null for none. */
export function liveClient(config: string | undefined): AdminClient | null {
  const file = serverFile(config);
  const target = existsSync(file) ? adminTarget(file) : null;
  if (target === null || typeof target === 'string' || target.kind !== 'unix') return null;
  if (!existsSync(target.path)) return null;
  const client = AdminClient.from(config === undefined ? {} : { config }, PATIENCE_MS);
  return typeof client === 'string' ? null : client;
}

/** What is so now, as the server of this client says; null where nobody can be asked, or nothing is known. */
export async function liveState(
  client: AdminClient | null,
  identity: string,
  stage: string | null,
  name: string,
  type: string,
): Promise<LiveState | null> {
  if (client === null) return null;
  const query = new URLSearchParams({ identity, name, type, ...(stage === null ? {} : { stage }) });
  const answer = await client.ask('GET', `/v1/explain?${query}`);
  if (answer.kind !== 'good') return null;
  const { state = null, next } = answer.body as Partial<LiveState>;
  return state === null ? null : { state, next: next ?? '' };
}

type LiveState = { readonly state: ExplainedState; readonly next: string };

type LiveException = Omit<DynamicException, 'until' | 'approvedBy'> & {
  readonly expires: string;
  readonly approved_by: string;
};
