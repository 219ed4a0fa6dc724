import { randomInt } from 'node:crypto';
import t from 'tap';
import { say } from '../cli/command.ts';
import { ask } from './client.ts';
import { Namegate, namegate } from './namegate.ts';

/** A kill at any moment between question, lease end and report: an account has all that was decided, or says that it has not. */

/** `NAMEGATE_KILL_ROUNDS=100` kills as often. */
const ROUNDS = Number(process.env['NAMEGATE_KILL_ROUNDS'] ?? 2);
/** Questions of one round, and how many are on their way at once. */
const QUESTIONS = 60;
const AT_ONCE = 6;

const POLICY = `
records:
  - { name: github.com, type: A, data: 192.0.2.7 }
identities:
  - { name: build, owner: team, from: { addresses: [127.0.0.9] }, allow: [{ name: github.com, reason: r, owner: o }] }
`;

t.test('an account over kills', async (t) => {
  let server = await namegate(t, { policy: POLICY, settings: 'admin: unix:admin.sock\nstate: state/\n' });
  const verb = (...args: string[]) => say([...args, '--config', server.path('namegate.yaml')]);
  for (let round = 0; round < ROUNDS; round++) {
    const opened = await verb(
      'lease',
      'open',
      '--identity',
      'build',
      '--address',
      '127.0.0.1',
      '--ttl',
      '1h',
      '--json',
    );
    const { id } = JSON.parse(opened.stdout) as { id: string };
    const killAt = randomInt(QUESTIONS);
    const moment = (['question', 'end', 'report'] as const)[round % 3]!;
    let answered = 0;
    let sent = 0;
    const client = async (): Promise<void> => {
      while (sent < QUESTIONS && !server.child.killed) {
        const number = sent++;
        if (moment === 'question' && number === killAt) server.kill('SIGKILL');
        // A question without an answer may have been decided or not.
        const reply = await ask(server, number % 3 === 0 ? 'again.example' : `n${number}.example`, {
          patience: 500,
        }).catch(() => null);
        if (reply !== null) answered++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    const ending = moment === 'end' || moment === 'report' ? verb('lease', 'end', id) : null;
    if (moment === 'report') await ending;
    const reporting = moment === 'report' ? verb('report', '--lease', id) : null;
    if (moment !== 'question') setTimeout(() => server.kill('SIGKILL'), randomInt(30));
    await Promise.all([ending, reporting, server.ended]);
    server = await new Namegate(t, server.folder).started();
    const { code, stdout, stderr } = await verb('report', '--lease', id, '--format', 'json');
    t.equal(code, 0, stderr);
    const { complete, totals } = JSON.parse(stdout) as {
      complete: boolean;
      totals: Record<string, { questions: number }>;
    };
    const counted = totals['unapproved']!.questions;
    const said = `round ${round}, killed at its ${moment}: ${counted} counted, ${answered} answered, ${sent} sent`;
    t.ok(!complete || (counted >= answered && counted <= sent), said);
    await verb('lease', 'end', id);
  }
  await server.stop(t);
});
