import t from 'tap';
import { suffixTable } from '../../src/config/policy/suffixes.ts';
import { registeredDomains } from '../../src/outbox/registered-domains.ts';
import { registeredDomain } from '../../src/policy/pattern/suffix.ts';
import { lowerName, nameFromText } from '../../src/wire/name.ts';

/** In front of one suffix in sixteen. */
const ODD = ['c.b.a.', '1.'.repeat(40), 'x\\.y.', '\\000\\255.'];

t.test(
  'under every suffix of the list, and of what it does not know, it starts where the table says',
  async (t) => {
    const find = registeredDomains(suffixTable);
    const suffixes = [
      ...[...suffixTable().entries()].map(([text]) => text),
      'unknown',
      'a.unknown',
      '0',
    ].filter((text) => text !== '');
    let different = 0;
    let count = 0;
    for (const suffix of suffixes) {
      const odd = count++ % 16 === 0 ? ODD : [];
      for (const front of ['', 'a.', 'b.a.', ...odd]) {
        const name = nameFromText(`${front}${suffix}`);
        if (!(name instanceof Uint8Array)) continue;
        const lower = lowerName(name);
        if (find(lower) !== registeredDomain(lower, suffixTable()) && different++ < 5)
          t.equal(find(lower), registeredDomain(lower, suffixTable()), `${front}${suffix}`);
      }
    }
    t.equal(different, 0);
    t.equal(find(new Uint8Array(1)), 0, 'the root is its own');
  },
);
