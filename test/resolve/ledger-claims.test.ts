import t from 'tap';
import { HOLDER } from '../../src/detect/holder.ts';
import { ClaimedNames } from '../../src/resolve/ledger/claimed-names.ts';
import { House } from './house.ts';
import { newCharges, Ticks } from './ledger.ts';

/** Who pays: the addresses of a lease together, and certificates that one machine or several show. */

const POLICY = `
identities:
  - name: build
    owner: team
    review_by: 2027-01-01
    from: { addresses: [10.0.0.0/24] }
    allow: [{ name: "**.t.example", reason: test }]
`;
const FINE = { authority: ['t.example 60 SOA . . 1 1 1 1 60'] };
const FOUR = '10.9.0.1';
const SIX = '2001:db8::1';

t.test(
  'fifty leases that bind an address of IPv4 and one of IPv6: both claims pay, by whichever it asks',
  async (t) => {
    const ticks = new Ticks();
    const charges = newCharges(ticks);
    const house = new House((content) => t.testdir(content), POLICY, { charges });
    let names = 0;
    let octets = 0;
    for (let job = 0; job < 50; job++) {
      const id = `le-${job}`;
      const lease = {
        id,
        identity: 'build',
        stage: null,
        job: null,
        addresses: [
          { family: 4 as const, words: [0x0a09_0001], length: 32 },
          { family: 6 as const, words: [0x2001_0db8, 0, 0, 1], length: 128 },
        ],
        certificate: null,
        endsAt: house.now + 1e6,
        quarantine: 0,
        sourceEnforced: true,
        known: true,
      };
      t.equal(house.leases.open(lease, house.now), null);
      for (let i = 0; i < 60; i++) {
        ticks.tick++;
        const before = house.asked.length;
        const name = `${'x'.repeat(20)}${names++}.t.example`;
        await house.ask(name, 'A', { from: i % 2 === job % 2 ? SIX : FOUR, transport: 'tcp' }, FINE);
        if (house.asked.length > before) octets += name.length - '.t.example'.length;
      }
      house.leases.end(id, house.now);
    }
    t.ok(octets > 1000 && octets * Math.log2(40) <= 4096 * 8, `${octets} octets of names`);
    const claims = [...charges.ledger.holders.all()].filter(({ kind }) => kind === HOLDER.CLAIM);
    t.strictSame(claims.map(({ subject }) => subject).sort(), [FOUR, SIX, '2001:db8:0:0::/64'].sort());
  },
);

t.test(
  'a certificate by one address of each family is one machine; a third address makes it several',
  async (t) => {
    const claimed = new ClaimedNames();
    t.notOk(claimed.isShared('job.example', '10.0.0.1', false, 0));
    t.notOk(claimed.isShared('job.example', '2001:db8:0:0::/64', true, 1));
    t.notOk(claimed.isShared('job.example', '10.0.0.1', false, 2));
    t.ok(claimed.isShared('job.example', '2001:db8:0:1::/64', true, 3));
    t.ok(claimed.isShared('job.example', '10.0.0.1', false, 4), 'and so it stays');
    t.notOk(claimed.isShared('other.example', '10.0.0.9', false, 5));
    t.ok(claimed.isShared('other.example', '10.0.0.8', false, 6));
  },
);
