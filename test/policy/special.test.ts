import t from 'tap';
import { PRIVATE_REVERSE, SPECIAL_NAMES } from '../../src/policy/special.ts';
import { nameToText } from '../../src/wire/name.ts';
import { ask, build, compiled, entries, identity, rule, single, types, verdict } from './build.ts';

t.test('special names: the same for everyone, whatever the policy says', async (t) => {
  const { snapshot } = build({
    identities: [
      identity('one', {
        allow: entries(
          '**.net',
          '**.arpa',
          '**.internal',
          'localhost',
          '**.localhost',
          'use-application-dns.net',
          'resolver.arpa',
        ),
      }),
    ],
  });
  for (const view of [snapshot.identities[0]!.view, snapshot.views[0]!]) {
    for (const name of [
      'localhost',
      'a.localhost',
      'a.b.c.localhost',
      'resolver.arpa',
      '_dns.resolver.arpa',
      '_why.namegate.internal',
      'github.com._why.namegate.internal',
    ]) {
      for (const type of ['A', 'TXT', 'ANY', 'SVCB', 'DS']) {
        const asked = ask(snapshot, view, name, type, { dnssec: true });
        t.match(asked, { verdict: 'local', ground: 'SPECIAL', pattern: null }, `${name} ${type}`);
      }
    }
    for (const name of ['use-application-dns.net', 'x.use-application-dns.net']) {
      for (const type of ['A', 'DS']) {
        t.match(
          ask(snapshot, view, name, type, { dnssec: true }),
          { verdict: 'deny', ground: 'SPECIAL', pattern: null },
          name,
        );
      }
    }
  }
});

t.test('special names end at their labels', async (t) => {
  const snapshot = single([]);
  for (const name of [
    'xlocalhost',
    'localhost.example',
    'evil-resolver.arpa',
    'xuse-application-dns.net',
    'why.namegate.internal',
    'x.namegate.internal',
    'xnamegate.internal',
    'other.internal',
    '_why.namegate.internal.example',
  ]) {
    t.equal(verdict(snapshot, name), 'deny', name);
  }
});

t.test('RFC 8020: what special names lie under has no data, for everyone', async (t) => {
  const snapshot = single([]);
  for (const name of ['.', 'arpa', 'internal', 'namegate.internal']) {
    t.match(ask(snapshot, snapshot.views[0]!, name), { verdict: 'empty', ground: 'ABOVE' }, name);
  }
  t.equal(verdict(snapshot, 'net'), 'deny', 'nothing is answered at the canary, so nothing is above it');
});

t.test("the canary's ancestors and siblings can be approved", async (t) => {
  const snapshot = single(['a.net', 'net']);
  t.equal(verdict(snapshot, 'net'), 'allow');
  t.equal(verdict(snapshot, 'a.net'), 'allow');
});

t.test('RFC 6303 §4, RFC 7793: reverse zones of private space are known', async (t) => {
  const snapshot = single([rule('**.10.in-addr.arpa', { types: types('PTR') })]);
  const inside = [
    '10.in-addr.arpa',
    '1.0.0.10.in-addr.arpa',
    '0.in-addr.arpa',
    '1.127.in-addr.arpa',
    '254.169.in-addr.arpa',
    '16.172.in-addr.arpa',
    '5.31.172.in-addr.arpa',
    '168.192.in-addr.arpa',
    '64.100.in-addr.arpa',
    '127.100.in-addr.arpa',
    'd.f.ip6.arpa',
    '1.c.f.ip6.arpa',
    '8.e.f.ip6.arpa',
    '0.b.e.f.ip6.arpa',
    `1${'.0'.repeat(31)}.ip6.arpa`,
    `0${'.0'.repeat(31)}.ip6.arpa`,
  ];
  const outside = [
    'in-addr.arpa',
    '1.in-addr.arpa',
    '11.in-addr.arpa',
    '110.in-addr.arpa',
    '128.in-addr.arpa',
    '169.in-addr.arpa',
    '255.169.in-addr.arpa',
    '172.in-addr.arpa',
    '15.172.in-addr.arpa',
    '32.172.in-addr.arpa',
    '192.in-addr.arpa',
    '169.192.in-addr.arpa',
    '100.in-addr.arpa',
    '63.100.in-addr.arpa',
    '128.100.in-addr.arpa',
    'f.ip6.arpa',
    'e.f.ip6.arpa',
    'c.e.f.ip6.arpa',
    '7.e.f.ip6.arpa',
    '8.b.d.0.1.0.0.2.ip6.arpa',
    `2${'.0'.repeat(31)}.ip6.arpa`,
    '10.example',
  ];
  const { view } = snapshot.identities[0]!;
  for (const name of inside) t.equal(ask(snapshot, view, name, 'PTR').privateReverse, true, name);
  for (const name of outside) t.equal(ask(snapshot, view, name, 'PTR').privateReverse, false, name);
  t.equal(
    ask(snapshot, view, '1.0.0.10.in-addr.arpa', 'PTR').verdict,
    'allow',
    'a rule approves them like others',
  );
  t.equal(ask(snapshot, view, '1.0.168.192.in-addr.arpa', 'PTR').verdict, 'deny');
  t.equal(ask(snapshot, snapshot.views[0]!, '1.0.0.10.in-addr.arpa', 'PTR').verdict, 'deny');
});

t.test('the tables hold what their RFCs list', async (t) => {
  t.same(
    SPECIAL_NAMES.map(({ name, text }) => [nameToText(name), text]),
    ['localhost', 'resolver.arpa', 'use-application-dns.net', '_why.namegate.internal'].map((name) => [
      name,
      name,
    ]),
  );
  const texts = PRIVATE_REVERSE.map(nameToText);
  t.equal(new Set(texts).size, texts.length);
  t.equal(texts.filter((text) => text.endsWith('.172.in-addr.arpa')).length, 16);
  t.equal(texts.filter((text) => text.endsWith('.100.in-addr.arpa')).length, 64);
});

t.test('an empty policy has special names and nothing else', async (t) => {
  const snapshot = compiled({});
  t.equal(snapshot.rules.count, 0);
  t.equal(snapshot.views.length, 1);
  for (const name of ['example', 'a.example', '_why', 'com'])
    t.equal(ask(snapshot, snapshot.views[0]!, name).verdict, 'deny');
});
