import { createInterface } from 'node:readline';
import { Client } from '../server/client.ts';
import { Upstream } from '../server/upstream.ts';

/**
 * One end of a wire, in a network namespace where the test's own process is not.
 *
 * `upstream HOST TTL`: answers A with one address; writes its port.
 * `client HOST PORT`: asks for the name on each line, and writes a line of JSON about each answer.
 */

const [role, host = '', number = '0'] = process.argv.slice(2);
const write = (value: unknown): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);

if (role === 'upstream') {
  const upstream = new Upstream(
    ({ name }, to) => to.reply({ answer: [`${name} ${number} A 198.51.100.1`] }),
    host,
  );
  await upstream.open();
  write({ port: upstream.port });
} else {
  const client = await Client.open({ host, udp: Number(number), tcp: 0 }, 'udp');
  for await (const name of createInterface({ input: process.stdin })) {
    const from = performance.now();
    void client.ask(name).then(
      ({ rcode, answer, opt }) => {
        const stale = opt?.ede.some(({ code }) => code === 3) ?? false;
        write({
          name,
          rcode,
          good: answer[0]?.data === '198.51.100.1',
          stale,
          took: performance.now() - from,
        });
      },
      (error: unknown) => write({ name, rcode: String(error), good: false, stale: false, took: -1 }),
    );
  }
}
process.stdin.on('end', () => process.exit()).resume();
