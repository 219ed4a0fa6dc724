import { createSocket, type Socket } from 'node:dgram';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askAt } from '../admin/house.ts';
import { queryOctets } from '../server/client.ts';
import { house, Namegate, pause } from '../server/namegate.ts';
import { Random } from '../server/random.ts';
import { policyOf } from './policy.ts';

/** HISTORY_ROUNDS=100 npx tap --timeout=1800 test/hostile/history-kill.test.ts; HISTORY_SEED repeats a run. */
const ROUNDS = Number(process.env['HISTORY_ROUNDS'] ?? 5);
const SEED = Number(process.env['HISTORY_SEED'] ?? Date.now() % 2 ** 31);
const PHASES = ['questions', 'lease end', 'report'] as const;

/** Asks denied names of one address, some at once, until it is stopped; a reply that came is a question that was decided. */
class Asking {
  readonly answered = new Set<string>();
  readonly sent = new Set<string>();
  readonly #socket: Socket;
  readonly #port: number;
  readonly #waiting = new Map<number, string>();
  #isOver = false;

  constructor(t: Test, address: string, port: number) {
    this.#port = port;
    this.#socket = createSocket('udp4');
    this.#socket.bind(0, address);
    this.#socket.on('error', () => {});
    this.#socket.on('message', (reply) => {
      const name = this.#waiting.get(reply.readUInt16BE(0));
      // Whoever has no lease is limited: SERVFAIL decides nothing.
      if (name !== undefined && (reply[3]! & 15) === 3) this.answered.add(name);
      if (!this.#isOver) this.#ask();
    });
    t.teardown(() => this.stop());
  }

  begin(atOnce: number): void {
    for (let i = 0; i < atOnce; i++) this.#ask();
  }

  stop(): void {
    if (!this.#isOver) this.#socket.close();
    this.#isOver = true;
  }

  #ask(): void {
    const id = this.sent.size + 1;
    const name = `n${id}.d${id % 3}.evil.example`;
    if (id > 1_500) return;
    this.sent.add(name);
    this.#waiting.set(id, name);
    this.#socket.send(queryOctets(name, { id }), this.#port, '127.0.0.1');
  }
}

t.test(`${ROUNDS} kills between question, lease end and report; HISTORY_SEED=${SEED}`, async (t) => {
  const random = new Random(SEED);
  const folder = house(t, {
    policy: policyOf({ name: 'job', from: ['127.0.0.2'], allow: ['good.example'] }),
    settings: 'admin: unix:admin.sock',
  });
  const url = `unix:${join(folder, 'admin.sock')}`;
  const env = { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' };
  let server = await new Namegate(t, folder, { env }).started();
  let whole = 0;
  const wrong: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const address = `127.0.1.${1 + (round % 250)}`;
    const opened = await askAt(url, 'POST', '/v1/leases', {
      identity: 'job',
      addresses: [address],
      ttl: 600,
    });
    const id = opened.body['id'] as string;
    const asking = new Asking(t, address, server.udp);
    asking.begin(1 + random.below(64));
    await pause(random.below(60));
    const phase = PHASES[random.below(PHASES.length)]!;
    const meanwhile: Promise<unknown>[] = [];
    if (phase !== 'questions') meanwhile.push(askAt(url, 'DELETE', `/v1/leases/${id}`).catch(() => null));
    if (phase === 'report') {
      await Promise.all(meanwhile);
      asking.stop();
      meanwhile.push(askAt(url, 'GET', `/v1/leases/${id}/report`).catch(() => null));
    }
    if (random.below(2) === 0) await pause(random.below(5));
    server.kill('SIGKILL');
    await server.ended;
    await Promise.all(meanwhile);
    asking.stop();
    server = await new Namegate(t, folder, { env }).started();
    await askAt(url, 'DELETE', `/v1/leases/${id}`);
    const { status, body } = await askAt(url, 'GET', `/v1/leases/${id}/report`);
    const { complete, totals } = body as { complete: boolean; totals: Record<string, { questions: number }> };
    const counted = (totals?.['unapproved']?.questions ?? 0) + (totals?.['unproven']?.questions ?? 0);
    const { answered, sent } = asking;
    // Behind the end of the lease the address is nobody's.
    const least = phase === 'questions' ? answered.size : 0;
    if (status !== 200) wrong.push(`${round} ${phase}: ${status} ${JSON.stringify(body)}`);
    else if (counted > sent.size) wrong.push(`${round} ${phase}: ${counted} of ${sent.size} that were sent`);
    else if (complete && counted < least) wrong.push(`${round} ${phase}: ${counted} of ${least} decided`);
    if (complete) whole++;
    if (phase !== 'questions') {
      const all = await askAt(url, 'GET', `/v1/report?identity=unknown&address=${address}`);
      const of = (body: Record<string, unknown>): number => {
        const sums = (body['totals'] ?? {}) as Record<string, { questions: number }>;
        return (sums['unapproved']?.questions ?? 0) + (sums['unproven']?.questions ?? 0);
      };
      const rest = all.status === 200 ? of(all.body) : 0;
      if (complete && counted + rest < answered.size)
        wrong.push(`${round} ${phase}: ${counted} and ${rest} of ${answered.size} decided`);
    }
  }
  t.same(wrong, []);
  t.equal(whole, ROUNDS, 'a kill of the process alone loses nothing');
  await server.stop(t);
});
