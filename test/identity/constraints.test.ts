import t from 'tap';
import { Authority, type CertificateOptions } from './authority.ts';
import * as der from './der.ts';
import { NOW, outcome, trust } from './listener.ts';

const root = new Authority({ name: 'root' });
const judge = trust({ clientCa: root.pem });

/** Whether a leaf below a CA with these constraints is let in. */
function passes(constraints: CertificateOptions, leaf: CertificateOptions): boolean {
  const middle = root.intermediate(constraints);
  const wanted = outcome(judge.judge(middle.issue(leaf).chain, NOW));
  if (wanted.startsWith('refused') && wanted !== 'refused: constraints') throw new Error(wanted);
  return !wanted.startsWith('refused');
}

t.test('RFC 5280 §4.2.1.10: DNS names', async (t) => {
  const rows: [constraints: CertificateOptions, dns: string[], wanted: boolean][] = [
    [{ permitted: [{ dns: 'ci.example' }] }, ['ci.example'], true],
    [{ permitted: [{ dns: 'ci.example' }] }, ['a.b.CI.example'], true],
    [{ permitted: [{ dns: 'ci.example' }] }, ['evilci.example'], false],
    [{ permitted: [{ dns: 'ci.example' }] }, ['a.ci.example', 'example'], false],
    [{ permitted: [{ dns: 'ci.example' }] }, [], true],
    [{ permitted: [{ dns: '.ci.example' }] }, ['ci.example'], false],
    [{ permitted: [{ dns: '.ci.example' }] }, ['a.ci.example'], true],
    [{ permitted: [{ dns: 'a.example' }, { dns: 'b.example' }] }, ['x.b.example'], true],
    [{ permitted: [{ dns: '' }] }, ['a.example'], true],
    [{ excluded: [{ dns: '' }] }, ['a.example'], false],
    [{ excluded: [{ dns: 'ci.example' }] }, ['a.example'], true],
    [{ excluded: [{ dns: 'ci.example' }] }, ['x.ci.example'], false],
    [{ excluded: [{ dns: '.ci.example' }] }, ['ci.example'], false],
    [{ permitted: [{ dns: 'example' }], excluded: [{ dns: 'ci.example' }] }, ['ci.example'], false],
    [{ permitted: [{ uri: 'ci.example' }] }, ['a.example'], true],
  ];
  for (const [constraints, dns, wanted] of rows)
    t.equal(passes(constraints, { dns }), wanted, `${JSON.stringify(constraints)} ${dns}`);
});

t.test('RFC 5280 §4.2.1.10: hosts of URIs', async (t) => {
  const rows: [constraints: CertificateOptions, uri: string, wanted: boolean][] = [
    [{ permitted: [{ uri: 'ci.example' }] }, 'spiffe://ci.example/a', true],
    [{ permitted: [{ uri: 'ci.example' }] }, 'spiffe://x.ci.example/a', false],
    [{ permitted: [{ uri: '.ci.example' }] }, 'spiffe://x.ci.example/a', true],
    [{ permitted: [{ uri: '.ci.example' }] }, 'spiffe://ci.example/a', false],
    [{ excluded: [{ uri: 'ci.example' }] }, 'spiffe://ci.example/a', false],
    [{ excluded: [{ uri: '.ci.example' }] }, 'spiffe://ci.example/a', false],
    [{ excluded: [{ uri: 'ci.example' }] }, 'spiffe://other.example/a', true],
    [{ permitted: [{ uri: 'ci.example' }] }, 'https://ci.example@evil.example/', false],
    [{ permitted: [{ uri: 'ci.example' }] }, 'https://evil.example#@ci.example/', false],
    [{ permitted: [{ uri: 'ci.example' }] }, 'https://evil.example?@ci.example/', false],
    [{ permitted: [{ uri: 'ci.example' }] }, 'https://me@ci.example:443/x', true],
    [{ permitted: [{ uri: 'ci.example' }] }, 'urn:ci.example', false],
    [{ excluded: [{ uri: 'ci.example' }] }, 'urn:a', false],
    [{ excluded: [{ uri: 'ci.example' }] }, 'https://[::1]/', false],
    [{ excluded: [{ uri: 'ci.example' }] }, 'https://192.0.2.1/', false],
    [{ permitted: [{ dns: 'ci.example' }] }, 'spiffe://other.example/a', true],
  ];
  for (const [constraints, uri, wanted] of rows)
    t.equal(passes(constraints, { uris: [uri] }), wanted, `${JSON.stringify(constraints)} ${uri}`);
});

t.test('constraints of other kinds: what cannot be judged does not count', async (t) => {
  const constrained = (base: Uint8Array): CertificateOptions => ({
    extensions: [
      { oid: '2.5.29.30', critical: true, value: der.sequence(der.explicit(1, der.sequence(base))) },
    ],
  });
  const ip = constrained(der.context(7, new Uint8Array(8)));
  t.ok(passes(ip, { dns: ['a.example'] }), 'no address is there');
  t.notOk(passes(ip, { ips: ['192.0.2.1'] }));
  const email = constrained(der.context(1, 'evil.example'));
  t.ok(passes(email, {}));
  t.notOk(passes(email, { emails: ['a@b.example'] }));
  const attribute = der.sequence(
    der.oid('1.2.840.113549.1.9.1'),
    der.tlv(der.TAG.IA5, Buffer.from('a@evil.example')),
  );
  t.notOk(
    passes(email, { subject: der.sequence(der.tlv(der.TAG.SET, attribute)) }),
    'an address in the subject',
  );
  const directory = constrained(der.explicit(4, der.sequence()));
  t.notOk(passes(directory, {}), 'every subject is a directory name');
  t.ok(passes(directory, { subject: der.sequence() }));
  const bad = (value: Uint8Array): string =>
    outcome(
      judge.judge(
        root.intermediate({ extensions: [{ oid: '2.5.29.30', critical: true, value }] }).issue().chain,
        NOW,
      ),
    );
  t.equal(bad(der.sequence()), 'refused: chain', 'empty');
  t.equal(
    bad(der.sequence(der.explicit(0, der.sequence(der.context(2, 'a'), der.context(0, '\x01'))))),
    'refused: chain',
    'a minimum',
  );
});

t.test('constraints of every CA on the path hold, the root among them', async (t) => {
  const narrow = new Authority({ name: 'narrow', permitted: [{ dns: 'ci.example' }] });
  const of = trust({ clientCa: narrow.pem });
  const middle = narrow.intermediate({ permitted: [{ dns: 'example' }] });
  t.equal(outcome(of.judge(middle.issue({ dns: ['a.example'] }).chain, NOW)), 'refused: constraints');
  t.equal(outcome(of.judge(middle.issue({ dns: ['a.ci.example'] }).chain, NOW)), 'dns:a.ci.example');
  const wide = narrow.intermediate({ dns: ['other.example'] });
  t.equal(
    outcome(of.judge(wide.issue().chain, NOW)),
    'refused: constraints',
    'a CA in between is held to them',
  );
});
