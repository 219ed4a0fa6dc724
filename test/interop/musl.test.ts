import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { muslVersion } from '../../src/cli/doctor/tcp-findings.ts';
import { namespace, resolvConf } from './netns.ts';
import { namegate, nsd, zones } from './peers.ts';
import { missingForRoot, must, run } from './process.ts';

/** A static program on musl, whose resolver has no TCP before 1.2.4, behind a listener whose sources may be forged. */

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: www.example, owner: team, reason: test }]
`;

const PROGRAM = `#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv) {
  struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
  int failed = getaddrinfo(argv[1], "443", &hints, &found);
  puts(failed ? gai_strerror(failed) : "resolved");
  return failed != 0;
}
`;

const version = muslVersion();
const old = version !== null && /^1\.(1\.|2\.[0-3]$)/.test(version);
const missing = missingForRoot('ip', 'nsd', 'musl-gcc');

async function resolves(t: Test, spoofable: unknown): Promise<{ said: string; log: () => string }> {
  const inside = await namespace(t, 'musl');
  const { example } = await zones(t);
  await nsd(t, [example], { namespace: inside, host: '127.0.0.1', port: 1053 });
  const server = await namegate(t, {
    namespace: inside,
    host: '127.0.0.2',
    port: 53,
    policy: POLICY,
    upstream: '[udp://127.0.0.1:1053]',
    listen: [{ on: 'udp://127.0.0.1:53', spoofable }, { on: 'tcp://127.0.0.1:53' }],
  });
  const folder = t.testdir({ 'ask.c': PROGRAM });
  await must(['musl-gcc', '-static', '-o', join(folder, 'ask'), join(folder, 'ask.c')]);
  resolvConf(t, inside, 'nameserver 127.0.0.1\n');
  const { stdout } = await run([join(folder, 'ask'), 'www.example'], { namespace: inside });
  return { said: stdout.trim(), log: () => server.log() };
}

t.test(
  'musl without TCP',
  { skip: missing || (old ? false : `musl ${version} has TCP, or is not there`) },
  async (t) => {
    t.test('an approved name that is not cached, where sources may be forged: not resolved', async (t) => {
      const { said, log } = await resolves(t, true);
      t.not(said, 'resolved');
      while (!log().includes('client-without-tcp')) await pause(100);
      t.match(log(), /"client":"127\.0\.0\.1"/, 'the log says who, once it has had its time');
    });
    t.test('with its network excepted: resolved', async (t) => {
      const { said } = await resolves(t, { except: ['127.0.0.0/8'] });
      t.equal(said, 'resolved');
    });
  },
);
