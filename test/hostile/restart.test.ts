import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../interop/process.ts';
import { Client, queryOctets } from '../server/client.ts';
import { readMessage } from '../server/message.ts';
import { house, Namegate, pause, until } from '../server/namegate.ts';
import { upstream } from '../server/upstream.ts';
import { JOB, policyOf } from './policy.ts';

/** kill -9 under load, and a start on the same ports. */

const POLICY = policyOf(JOB);

const KILLS = 4;

t.test(
  'kill -9 under load and a restart, four times: each serves again, and nothing is answered wrongly',
  async (t) => {
    const up = await upstream(t, ({ name }, to) => {
      // Some are under way at any moment.
      setTimeout(() => to.reply({ answer: [`${name} 300 A 198.51.100.1`] }), 30);
    });
    const ports = [await freePort(), await freePort()];
    const listen = [`udp://127.0.0.1:${ports[0]}`, `tcp://127.0.0.1:${ports[1]}`];
    const folder = house(t, { policy: POLICY, servers: `[${up.url}]`, settings: 'state: state/', listen });
    mkdirSync(join(folder, 'state'));
    const place = { host: '127.0.0.1', udp: ports[0]!, tcp: ports[1]! };
    const wrong: string[] = [];
    let answered = 0;
    let going = true;

    /** Asks on one socket until it ends or the test is over: new names, cached ones, denied ones. */
    const load = async (over: 'udp' | 'tcp', k: number): Promise<void> => {
      for (let i = 0; going; ) {
        const client = await Client.open(place, over).catch(() => null);
        for (; client !== null && going && !client.ended; i++) {
          const name = [`n${k}-${i}.good.example`, 'cached.good.example', `d${i}.denied.example`][i % 3]!;
          const reply = await client.exchange(queryOctets(name), 300);
          // While nobody serves, there is no answer; a wrong one there must never be.
          if (reply === null) continue;
          const { rcode, answer, question } = readMessage(reply);
          const expected = i % 3 === 2 ? 'NXDOMAIN' : 'NOERROR 198.51.100.1';
          const got = [rcode, ...answer.map(({ data }) => data)].join(' ');
          if (got !== expected || question?.name !== `${name}.`) wrong.push(`${name}: ${got}`);
          answered++;
        }
        client?.close();
        await pause(10);
      }
    };

    let server = await new Namegate(t, folder).started();
    const loads = Array.from({ length: 8 }, (_, k) => load(k % 2 === 0 ? 'udp' : 'tcp', k));
    const back: number[] = [];
    for (let i = 0; i < KILLS; i++) {
      await pause(300);
      const before = answered;
      await until(() => answered > before + 20);
      server.kill('SIGKILL');
      t.match(await server.ended, { signal: 'SIGKILL' });
      const from = performance.now();
      server = await new Namegate(t, folder).started();
      const then = answered;
      await until(
        () => answered > then + 20,
        () => `it does not answer after restart ${i}`,
      );
      back.push(Math.round(performance.now() - from));
    }
    going = false;
    await Promise.all(loads);
    t.same(wrong, [], 'no answer is wrong');
    t.comment(`${answered} answers; back after ${back.join(', ')} ms`);
    t.ok(Math.min(...back) < 3000, 'back within 3 s');
    await server.stop(t);
  },
);
