import { randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { describeShown } from '../../../src/identity/shown.ts';
import { Proofs } from '../../../src/listen/stream/proofs.ts';
import { Credential, type CredentialJudge, type Judgement } from '../../../src/resolve/client/credential.ts';
import type { ChainFault } from '../../../src/socket/chain-check.ts';

const BEGIN = 1_000_000;
const END = BEGIN + 3_600;

/** Counts what is asked of the judge and of OpenSSL, and says what they answer. */
function rig() {
  const asked = { judge: 0, openssl: 0 };
  const state = { now: BEGIN, refuses: false, fault: null as ChainFault | null, names: ['sha256:0'] };
  const judge: CredentialJudge = {
    describe: describeShown,
    judge: (): Judgement => {
      asked.judge++;
      if (state.refuses) return { kind: 'refused', rule: 'revoked', message: 'it is revoked' };
      return { kind: 'accepted', credential: new Credential(state.names, null), until: END };
    },
  };
  const trust = { clients: 'required', judge } as const;
  const proofs = new Proofs(trust, () => state.now);
  /** Whether a chain is taken in a handshake of the context, and who was asked. */
  const shake = (chain: readonly Buffer[], context = 1): string => {
    asked.judge = 0;
    asked.openssl = 0;
    const verify = (): ChainFault | null => {
      asked.openssl++;
      return state.fault;
    };
    const certificates = (): Buffer[] => [...chain];
    const refusal = proofs.examine({ context, octets: Buffer.concat(chain), certificates, verify });
    const who = [...(asked.openssl > 0 ? ['openssl'] : []), ...(asked.judge > 0 ? ['judge'] : [])];
    return `${refusal === null ? 'taken' : refusal.rule}: ${who.join(', ') || 'nobody'}`;
  };
  return { state, proofs, trust, shake };
}

const CHAIN = [randomBytes(400), randomBytes(400)];

t.test('a chain that comes again is known by its octets', async (t) => {
  const { shake } = rig();
  t.equal(shake(CHAIN), 'taken: openssl, judge');
  t.equal(shake(CHAIN), 'taken: nobody');
  t.equal(shake(CHAIN.map((der) => Buffer.from(der))), 'taken: nobody');
  const [leaf, above] = CHAIN as [Buffer, Buffer];
  t.equal(shake([leaf]), 'taken: openssl, judge', 'fewer certificates');
  t.equal(shake([above, leaf]), 'taken: openssl, judge', 'another order');
  for (const at of [0, 200, 399]) {
    const other = Buffer.from(leaf);
    other[at]! ^= 1;
    t.equal(shake([other, above]), 'taken: openssl, judge', `octet ${at} is another`);
  }
});

t.test('OpenSSL is asked again in another context, and after a minute', async (t) => {
  const { state, shake } = rig();
  shake(CHAIN);
  t.equal(shake(CHAIN, 2), 'taken: openssl');
  t.equal(shake(CHAIN, 2), 'taken: nobody');
  t.equal(shake(CHAIN, 1), 'taken: openssl');
  state.now += 59;
  t.equal(shake(CHAIN), 'taken: nobody');
  state.now += 1;
  t.equal(shake(CHAIN), 'taken: openssl', 'what was taken from memory does not make it younger');
  state.fault = { code: 10, text: 'certificate has expired' };
  t.equal(shake(CHAIN), 'taken: nobody');
  state.now += 60;
  t.equal(shake(CHAIN), 'dates: openssl');
  t.equal(shake(CHAIN), 'dates: openssl');
});

t.test(
  'the judge is asked again when its word has ended, when the clock is set back, and when trust changes',
  async (t) => {
    const { state, shake, proofs, trust } = rig();
    shake(CHAIN);
    state.now = END - 1;
    t.equal(shake(CHAIN), 'taken: openssl');
    state.refuses = true;
    t.equal(shake(CHAIN), 'taken: nobody');
    state.now = END;
    t.equal(shake(CHAIN), 'revoked: openssl, judge');
    state.now = BEGIN - 1;
    t.equal(shake(CHAIN), 'revoked: openssl, judge');
    state.now = END - 1;
    proofs.update(trust);
    t.equal(shake(CHAIN), 'revoked: openssl, judge');
  },
);

t.test(
  'each connection has a credential of its own, for what policy finds depends on where it is shown from',
  async (t) => {
    const { proofs } = rig();
    const socket = {
      authorized: true,
      isSessionReused: () => false,
      getPeerX509Certificate: () => ({ raw: CHAIN[0] }),
    } as unknown as TLSSocket;
    const [one, other] = [proofs.take(socket), proofs.take(socket)].map((proof) => {
      if (!('credential' in proof) || proof.credential === null) throw new Error('it was refused');
      return proof.credential;
    });
    t.strictSame(one!.names, other!.names);
    t.not(one, other);
  },
);

t.test('what was refused is not remembered', async (t) => {
  const { state, shake } = rig();
  state.refuses = true;
  t.equal(shake(CHAIN), 'revoked: openssl, judge');
  t.equal(shake(CHAIN), 'revoked: openssl, judge');
  state.refuses = false;
  state.fault = { code: 7, text: 'certificate signature failure' };
  t.equal(shake(CHAIN), 'signature: openssl');
  state.fault = null;
  t.equal(shake(CHAIN), 'taken: openssl, judge');
});

t.test('10,000 chains are remembered, and the oldest goes first', async (t) => {
  const { shake } = rig();
  const chains = Array.from({ length: 10_001 }, () => [randomBytes(32)]);
  for (const chain of chains) shake(chain);
  t.equal(shake(chains[1]!), 'taken: nobody');
  t.equal(shake(chains[10_000]!), 'taken: nobody');
  t.equal(shake(chains[0]!), 'taken: openssl, judge');
});

t.test('many names make room for fewer chains', async (t) => {
  const { state, shake, proofs, trust } = rig();
  state.names = Array.from({ length: 100 }, (_, i) => `dns:n${i}.example`);
  const chains = Array.from({ length: 501 }, () => [randomBytes(32)]);
  for (const chain of chains) shake(chain);
  t.equal(shake(chains[1]!), 'taken: nobody');
  for (let i = 0; i < 501; i++) shake(chains[500]!, i + 2);
  t.equal(shake(chains[1]!), 'taken: nobody', 'one that comes again counts once');
  t.equal(shake(chains[0]!), 'taken: openssl, judge');
  proofs.update(trust);
  for (const chain of chains.slice(1)) shake(chain);
  t.equal(shake(chains[1]!), 'taken: nobody', 'what trust has ended takes no room');
});
