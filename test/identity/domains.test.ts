import t from 'tap';
import { Authority } from './authority.ts';
import { bundle, NOW, outcome, trust } from './listener.ts';

const SPIFFE = 'spiffe://ci.example/build';
const clients = new Authority({ name: 'clients' });
const ci = new Authority({ name: 'ci', uris: ['spiffe://ci.example'] });
const other = new Authority({ name: 'other' });
const options = { uris: [SPIFFE], dns: ['a.example'] };

t.test('a spiffe:// name counts from the bundle of that very trust domain', async (t) => {
  for (const text of [ci.pem, bundle(ci)]) {
    const judge = trust({
      clientCa: clients.pem,
      domains: { 'ci.example': text, 'other.example': other.pem },
    });
    const of = (authority: Authority, written = options) =>
      outcome(judge.judge(authority.issue(written).chain, NOW));
    t.equal(of(ci), SPIFFE, 'and dns: only from client_ca');
    t.equal(of(clients), 'dns:a.example', 'client_ca is not asked where there is a bundle');
    t.equal(of(other), '', "another domain's CA: valid, and nobody");
    t.equal(of(ci, { ...options, uris: ['spiffe://else.example/build'] }), '');
    t.equal(
      of(clients, { ...options, uris: ['spiffe://else.example/build'] }),
      'spiffe://else.example/build dns:a.example',
      'client_ca where there is no bundle',
    );
    t.equal(of(other, { ...options, uris: ['spiffe://other.example/x'] }), 'spiffe://other.example/x');
    t.equal(of(new Authority({ name: 'ci' })), 'refused: signature');
  }
});

t.test('bundles alone, without client_ca', async (t) => {
  const judge = trust({ domains: { 'ci.example': ci.pem } });
  t.equal(outcome(judge.judge(ci.issue(options).chain, NOW)), SPIFFE);
  t.equal(outcome(judge.judge(ci.issue({ dns: ['a.example'] }).chain, NOW)), '');
  t.equal(outcome(judge.judge(clients.issue(options).chain, NOW)), 'refused: chain');
});

t.test('one CA in two files, and one above two', async (t) => {
  const both = trust({ clientCa: ci.pem, domains: { 'ci.example': ci.pem } });
  t.equal(outcome(both.judge(ci.issue(options).chain, NOW)), `${SPIFFE} dns:a.example`);
  t.equal(both.caPem.length, 1);
  // The bundle holds an intermediate alone: paths end there; those of client_ca go on to the root.
  const middle = clients.intermediate({ name: 'middle' });
  const split = trust({ clientCa: clients.pem, domains: { 'ci.example': middle.pem } });
  t.equal(outcome(split.judge(middle.issue(options).chain, NOW)), `${SPIFFE} dns:a.example`);
  t.equal(
    outcome(split.judge(clients.issue(options).chain, NOW)),
    'dns:a.example',
    'what the root issues itself is not of that domain',
  );
});

t.test('a certificate in client_ca whose issuer is there too does not end paths', async (t) => {
  const middle = clients.intermediate({ name: 'middle' });
  const leaf = middle.issue(options);
  const written = { clientCa: clients.pem + middle.pem };
  t.equal(outcome(trust(written).judge([leaf.der], NOW)), `${SPIFFE} dns:a.example`, 'it completes chains');
  const crl = clients.crl({ revoked: [] }).pem + middle.crl({ revoked: [] }).pem;
  t.equal(outcome(trust({ ...written, crl }).judge([leaf.der], NOW)), `${SPIFFE} dns:a.example`);
  t.equal(
    outcome(trust({ clientCa: middle.pem }).judge([leaf.der], NOW)),
    `${SPIFFE} dns:a.example`,
    'alone it does',
  );
});
