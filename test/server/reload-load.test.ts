import t, { type Test } from 'tap';
import { amount } from '../amount.ts';
import { ask, Client } from './client.ts';
import { namegate, pause, until } from './namegate.ts';
import { type Upstream, upstream } from './upstream.ts';

/** Changes of policy while questions are under way. */

const policyOf = (...names: string[]): string => `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [${names.map((name) => `{ name: "${name}", reason: test }`).join(', ')}]
records:
  - { name: local.example, type: A, data: 192.0.2.1 }
`;

/** An upstream that holds its answers back until `release` is called. */
async function holding(
  t: Test,
  address: (name: string) => string = () => '198.51.100.1',
): Promise<{ readonly up: Upstream; readonly release: () => void }> {
  const held: (() => void)[] = [];
  let open = false;
  const up = await upstream(t, ({ name }, to) => {
    const answer = (): void => to.reply({ answer: [`${name} 0 A ${address(name)}`] });
    if (open) answer();
    else held.push(answer);
  });
  const release = (): void => {
    open = true;
    for (const answer of held.splice(0)) answer();
  };
  return { up, release };
}

t.test('a question in flight whose approval goes: no answer; where it stays: the answer', async (t) => {
  const { up, release } = await holding(t);
  const server = await namegate(t, {
    policy: policyOf('stays.example', 'goes.example', 'turns.example', 'local.example'),
    servers: `["${up.url}"]`,
  });
  const asked = Promise.all([
    ask(server, 'stays.example'),
    ask(server, 'goes.example'),
    ask(server, 'goes.example', { over: 'tcp' }),
    ask(server, 'turns.example'),
  ]);
  await until(() => new Set(up.asked).size === 3);
  server.write(
    'policy/test.yaml',
    `${policyOf('stays.example', 'turns.example', 'local.example')}  - { name: turns.example, type: A, data: 192.0.2.7 }\n`,
  );
  await server.logged('policy-loaded');
  release();
  const [stays, goes, overTcp, turns] = await asked;
  t.match(stays, { rcode: 'NOERROR', answer: [{ data: '198.51.100.1' }] });
  for (const reply of [goes, overTcp]) {
    t.equal(reply.rcode, 'NXDOMAIN');
    t.same(reply.answer, []);
    t.match(reply.opt?.ede, [{ code: 15 }]);
  }
  t.match(turns, { rcode: 'NOERROR', answer: [{ data: '192.0.2.7' }] }, 'as the new policy has it');
  await server.stop(t);
});

t.test('a redirect that changes while its target is fetched: the new target, its own address', async (t) => {
  const { up, release } = await holding(t, (name) => `198.51.100.${name.startsWith('one') ? 1 : 2}`);
  const policy = (to: string): string =>
    `${policyOf('moved.example', 'local.example')}redirects: [{ name: moved.example, to: ${to}.behind.example }]\n`;
  const server = await namegate(t, { policy: policy('one'), servers: `["${up.url}"]` });
  const asked = ask(server, 'moved.example');
  await until(() => up.seen.length > 0);
  server.write('policy/test.yaml', policy('two'));
  await server.logged('policy-loaded');
  release();
  t.match((await asked).answer, [
    { owner: 'moved.example.', type: 'CNAME', data: 'two.behind.example.' },
    { owner: 'two.behind.example.', type: 'A', data: '198.51.100.2' },
  ]);
  t.same([...new Set(up.asked)], ['one.behind.example. A', 'two.behind.example. A']);
  await server.stop(t);
});

t.test('an identity that goes while its question is in flight, and comes back', async (t) => {
  const { up, release } = await holding(t);
  const policy = policyOf('a.example', 'local.example');
  const server = await namegate(t, { policy, servers: `["${up.url}"]` });
  const first = ask(server, 'a.example');
  await until(() => up.seen.length > 0);
  server.write('policy/test.yaml', policy.replace('127.0.0.1', '127.0.0.9'));
  await server.logged('policy-loaded');
  release();
  const reply = await first;
  t.equal(reply.rcode, 'NXDOMAIN');
  t.match(reply.opt?.ede, [{ code: 15, text: /^namegate sees you as 127/ }], 'it is unknown now');
  server.write('policy/test.yaml', policy);
  await server.logged('policy-loaded', 2);
  t.equal((await ask(server, 'a.example')).rcode, 'NOERROR');
  await server.stop(t);
});

t.test('reloads under load: no question is lost, fails, or is answered by half a policy', async (t) => {
  const up = await upstream(
    t,
    ({ name }, to) => void setTimeout(() => to.reply({ answer: [`${name} 0 A 198.51.100.1`] }), 15),
  );
  const always = ['local.example', '*.forward.example', 'cached.example'];
  const server = await namegate(t, { policy: policyOf(...always), servers: `["${up.url}"]` });
  const clients = await Promise.all([
    Client.open(server, 'udp'),
    Client.open(server, 'udp'),
    Client.open(server, 'tcp'),
  ]);
  let running = true;
  let asked = 0;
  let slowest = 0;
  const wrong: string[] = [];
  const worker = async (client: Client, number: number): Promise<void> => {
    for (let i = 0; running; i++) {
      const name = ['local.example', `n${number}-${i}.forward.example`, 'cached.example', 'denied.example'][
        i % 4
      ]!;
      const from = performance.now();
      try {
        const reply = await client.ask(name, {}, 3000);
        const wanted = name === 'denied.example' ? 'NXDOMAIN' : 'NOERROR';
        if (reply.rcode !== wanted || (wanted === 'NOERROR' && reply.answer.length !== 1))
          wrong.push(`${name}: ${reply.rcode}`);
      } catch (error) {
        wrong.push(String(error));
      }
      asked++;
      slowest = Math.max(slowest, performance.now() - from);
      // Eighteen of these are load enough, and leave the machine to others.
      await pause(10);
    }
  };
  const workers = clients.flatMap((client, i) =>
    Array.from({ length: 6 }, (_, j) => worker(client, 10 * i + j)),
  );
  try {
    for (let i = 1; i <= amount(15, 30); i++) {
      // A policy that takes some time to compile.
      const more = Array.from({ length: 400 }, (_, j) => `n${i}-${j}.more.example`);
      const seen = server.events('policy-loaded').length;
      if (i % 5 === 0) server.write('policy/test.yaml', 'identities: [');
      else server.replace('policy/test.yaml', policyOf(...always, ...more));
      if (i % 4 === 0) server.kill('SIGHUP');
      if (i % 3 === 0 && i % 5 !== 0) await server.logged('policy-loaded', seen + 1);
      else await pause(150);
    }
  } finally {
    running = false;
    await Promise.all(workers);
    for (const client of clients) client.close();
  }
  t.same(wrong.slice(0, 10), []);
  t.ok(asked > 500, `${asked} questions`);
  // A third of the steps wait for their policy; on a busy machine the others may share one compile.
  t.ok(server.events('policy-loaded').length >= 4, `${server.events('policy-loaded').length} policies`);
  t.comment(`the slowest answer took ${Math.round(slowest)} ms`);
  await server.stop(t);
});
