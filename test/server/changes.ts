import type { Test } from 'tap';
import { ask } from './client.ts';
import { type Namegate, until } from './namegate.ts';

/** What tests of reloads share: a small policy, and the wait until a change is in force, or refused. */

/** Milliseconds in which a change is in force. */
export const IN_FORCE = 10_000;

/** A policy that approves these names and has an address for each, so that nothing is asked upstream. */
export function policyOf(...names: string[]): string {
  return `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
${names.map((name) => `      - { name: ${name}, reason: test }`).join('\n')}
records:
${names.map((name) => `  - { name: ${name}, type: A, data: 192.0.2.1 }`).join('\n')}
`;
}

export async function resolves(server: Namegate, name: string): Promise<boolean> {
  const { rcode } = await ask(server, name);
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') throw new Error(`${name}: ${rcode}`);
  return rcode === 'NOERROR';
}

/** Waits until exactly these of the names resolve, and holds that to the time in which a change is in force. */
export async function inForce(
  t: Test,
  server: Namegate,
  wanted: Readonly<Record<string, boolean>>,
  what: string,
): Promise<void> {
  const names = Object.keys(wanted);
  const took = await until(
    async () =>
      (await Promise.all(names.map((name) => resolves(server, name)))).every(
        (is, i) => is === wanted[names[i]!],
      ),
    () => `${what}: not in force:\n${server.stderr}`,
  );
  t.ok(took < IN_FORCE, `${what}: in force within ${IN_FORCE} ms`, { took });
}

/** Waits until /ready tells of a refused change; the names must resolve as before. */
export async function refused(
  t: Test,
  server: Namegate,
  codes: readonly string[],
  stays: string,
  what: string,
): Promise<void> {
  const took = await until(
    async () => {
      t.equal(await resolves(server, stays), true, `${what}: the last good policy stays`);
      const { reload } = await server.ready();
      return (
        reload !== null && codes.every((code) => reload.problems.some((problem) => problem.code === code))
      );
    },
    () => `${what}: /ready does not tell:\n${server.stderr}`,
  );
  t.ok(took < IN_FORCE, `${what}: told within ${IN_FORCE} ms`, { took });
  t.match(
    await server.ready(),
    { status: 200, ready: true, reasons: [] },
    `${what}: clients are still served`,
  );
}
