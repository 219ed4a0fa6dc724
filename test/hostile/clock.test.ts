import t, { type Test } from 'tap';
import { ask } from '../server/client.ts';
import { house, Namegate, until } from '../server/namegate.ts';
import { upstream } from '../server/upstream.ts';
import { FAKETIME, FakedClock } from './faked-clock.ts';
import { policyOf } from './policy.ts';

/** A clock that jumps by a day. */

const DAY = 86_400;

/** `2026-11-20T21:00:00Z`, so many seconds from now. */
function date(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** `more`: another pattern that is approved. */
const policy = (...more: readonly string[]): string =>
  policyOf(
    {
      name: 'job',
      from: ['127.0.0.1'],
      allow: [
        'always.example.com',
        '*.slow.example.com',
        `{ name: coming.example.com, reason: ends soon, until: ${date(DAY / 2)} }`,
        `{ name: gone.example.com, reason: has ended, until: ${date(-DAY / 2)} }`,
        ...more,
      ],
    },
    {
      name: 'audited',
      from: ['127.0.0.2'],
      allow: ['always.example.com'],
      more: ['mode: audit', `audit_until: ${date(DAY / 2)}`],
    },
  );

interface Seen {
  readonly always: string;
  readonly coming: string;
  readonly gone: string;
  readonly audited: string;
}

/** What the dates of the policy make of the day before, the day itself, and the day after. */
const EXPECTED: Readonly<Record<'-1d' | '+0' | '+1d', Seen>> = {
  '-1d': { always: 'NOERROR', coming: 'NOERROR', gone: 'NOERROR', audited: 'NOERROR' },
  '+0': { always: 'NOERROR', coming: 'NOERROR', gone: 'NXDOMAIN', audited: 'NOERROR' },
  '+1d': { always: 'NOERROR', coming: 'NXDOMAIN', gone: 'NXDOMAIN', audited: 'NXDOMAIN' },
};

const skip = FAKETIME === '' && !process.env['CI'] ? 'not installed: libfaketime' : false;

t.test(
  'the clock jumps by a day either way: nothing changes but what the dates of the policy say',
  { skip },
  async (t) => {
    t.not(FAKETIME, '', 'libfaketime is installed');
    const up = await upstream(t, ({ name }, to) => {
      const answer = (): void => to.reply({ answer: [`${name} 300 A 198.51.100.1`] });
      if (name.includes('.slow.')) setTimeout(answer, 700);
      else answer();
    });
    const folder = house(t, { policy: policy(), servers: `[${up.url}]` });
    const clock = new FakedClock(folder);
    const server = await new Namegate(t, folder, { under: clock.under }).started();
    let changes = 0;
    let slow = 0;
    const order: (keyof typeof EXPECTED)[] = ['+0', '+1d', '-1d', '+0', '-1d', '+1d'];
    for (const [i, offset] of order.entries()) {
      // A question is under way while the clock jumps.
      const waiting = ask(server, `n${slow++}.slow.example.com`);
      await until(() => up.seen.at(-1)?.name.includes('.slow.') === true);
      clock.jump(offset);
      const what = `after ${i} jumps, at ${offset}`;
      t.same(await outcomes(server), EXPECTED[offset], what);
      t.equal((await waiting).rcode, 'NOERROR', `${what}: what was under way is answered`);
      t.equal((await ask(server, `n${slow++}.slow.example.com`)).rcode, 'NOERROR', `${what}: a new name`);
      const ttl = (await ask(server, 'always.example.com')).answer[0]?.ttl ?? 0;
      t.ok(ttl > 240 && ttl <= 300, `${what}: the cached answer lives on, ${ttl} s`);
      await changed(t, server, `c${changes++}.example.com`, what);
    }
    t.equal(
      up.asked.filter((question) => question === 'always.example.com. A').length,
      1,
      'asked once in all',
    );
    await server.stop(t);
  },
);

async function outcomes(server: Namegate): Promise<Seen> {
  const code = async (name: string, from = '127.0.0.1'): Promise<string> =>
    (await ask(server, name, { from })).rcode;
  return {
    always: await code('always.example.com'),
    coming: await code('coming.example.com'),
    gone: await code('gone.example.com'),
    audited: await code('anything.example.com', '127.0.0.2'),
  };
}

/** A change of the policy is seen, whatever the file's times look like beside the clock. */
async function changed(t: Test, server: Namegate, name: string, what: string): Promise<void> {
  server.replace('policy/test.yaml', policy(name));
  const took = await until(
    async () => (await ask(server, name)).rcode === 'NOERROR',
    () => `${what}: the change does not come into force`,
    5000,
  );
  t.ok(took < 5000, `${what}: a change comes into force`);
}
