import fc from 'fast-check';
import t from 'tap';
import type { LeaseClaim } from '../../../src/policy/lease/lease-claim.ts';
import { PendingClaims } from '../../../src/policy/lease/pending-claims.ts';
import type { Prefix } from '../../../src/wire/prefix.ts';
import { collision } from './collision.ts';

/** Few addresses and lengths, so that many overlap. */
const prefixes: fc.Arbitrary<Prefix> = fc
  .record({ family: fc.constantFrom(4, 6), low: fc.nat(15), length: fc.constantFrom(28, 30, 32) })
  .map(({ family, low, length }) => {
    const word = (low & (-1 << (32 - length))) >>> 0;
    return family === 4
      ? { family: 4, words: [word], length }
      : { family: 6, words: [0x2001_0db8, 0, 0, word], length: 96 + length };
  });

const claims: fc.Arbitrary<LeaseClaim> = fc
  .record({
    addresses: fc.array(prefixes, { maxLength: 3 }),
    certificate: fc.constantFrom(null, 'dns:a', 'dns:b'),
  })
  .filter(({ addresses, certificate }) => addresses.length > 0 || certificate !== null);

t.test('a claim that may not be leased beside another is found, whatever came and went', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ claim: claims, gone: fc.nat(4) }), { minLength: 1, maxLength: 30 }),
      (steps) => {
        const pending = new PendingClaims();
        const list: LeaseClaim[] = [];
        for (const { claim, gone } of steps) {
          const wanted = list.map((one) => collision(one, claim)).filter((on) => on !== null);
          const found = pending.collision(claim);
          if ((found === null) !== (wanted.length === 0)) throw new Error(`${found}, not ${wanted}`);
          if (found !== null && !wanted.includes(found)) throw new Error(`${found}, not ${wanted}`);
          if (found === null) {
            pending.add(claim);
            list.push(claim);
          }
          const [ended] = gone < list.length ? list.splice(gone, 1) : [];
          if (ended !== undefined) pending.delete(ended);
          if (pending.size !== list.length) throw new Error(`${pending.size} claims, not ${list.length}`);
        }
      },
    ),
    { numRuns: 2_000 },
  );
  t.pass('2,000 histories');
});
