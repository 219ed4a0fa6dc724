import { randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { describeShown } from '../../../src/identity/shown.ts';
import { Proofs } from '../../../src/listen/stream/proofs.ts';
import { Credential, type CredentialJudge } from '../../../src/resolve/client/credential.ts';

/** Notes how many certificates it was shown. Its word ends at once, so that it is asked each time. */
function rig() {
  const seen: number[] = [];
  const judge: CredentialJudge = {
    describe: describeShown,
    judge: (chain) => {
      seen.push(chain.length);
      return { kind: 'accepted', credential: new Credential(['sha256:0'], null), until: 1000 };
    },
  };
  return { seen, proofs: new Proofs({ clients: 'required', judge }, () => 1000) };
}

/** As much of a socket as is asked. */
function socket(chain: readonly Buffer[], reused: boolean): TLSSocket {
  const [top, ...below] = chain.toReversed();
  let certificate: object = { raw: top };
  for (const raw of below) certificate = { raw, issuerCertificate: certificate };
  return {
    authorized: true,
    isSessionReused: () => reused,
    getPeerX509Certificate: () => (reused ? { raw: chain[0] } : certificate),
  } as unknown as TLSSocket;
}

t.test('chains are remembered for resumed sessions: 10,000, the oldest goes first', async (t) => {
  const { seen, proofs } = rig();
  const chains = Array.from({ length: 10_001 }, () => [randomBytes(32), Buffer.alloc(8)]);
  for (const chain of chains) proofs.take(socket(chain, false));
  const recalled = (index: number): number | undefined => {
    proofs.take(socket(chains[index]!, true));
    return seen.at(-1);
  };
  t.equal(recalled(10_000), 2);
  t.equal(recalled(1), 2);
  t.equal(recalled(0), 1, 'the leaf alone is known of it');
});

t.test('and 32 MiB of them', async (t) => {
  const { seen, proofs } = rig();
  const above = Buffer.alloc(2 ** 20);
  const chains = Array.from({ length: 40 }, () => [randomBytes(32), above]);
  for (const chain of chains) proofs.take(socket(chain, false));
  seen.length = 0;
  for (const chain of chains.toReversed()) proofs.take(socket(chain, true));
  const whole = seen.filter((length) => length === 2).length;
  t.ok(whole >= 30 && whole <= 32, `${whole} of 40`);
  // Octets of what went were given back: as many as before have room again.
  for (const chain of chains) proofs.take(socket(chain, false));
  proofs.take(socket(chains.at(-1)!, true));
  t.equal(seen.at(-1), 2);
});
