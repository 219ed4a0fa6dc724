import t from 'tap';
import { findCertificate, NONE, TWO } from '../../src/policy/certificates.ts';
import type { Problem } from '../../src/policy/problem.ts';
import { at, build, compiled, identity } from './build.ts';

const HASH = `sha256:${'ab'.repeat(32)}`;

function claims(...lists: readonly (readonly string[])[]) {
  return lists.map((list, index) =>
    identity(`id${index}`, {
      certificates: list.map((text, line) => ({ text, at: at(10 * index + line + 1) })),
    }),
  );
}

function clashes(...lists: readonly (readonly string[])[]): Problem[] {
  return build({ identities: claims(...lists) }).problems.filter(
    ({ code }) => code === 'certificate-claimed',
  );
}

t.test('names of a certificate to an identity', async (t) => {
  const { certificates } = compiled({
    identities: claims(
      ['spiffe://ci.example/payments/build', 'dns:build.ci.example'],
      ['spiffe://ci.example/shop/*', HASH],
      ['spiffe://other.example/*'],
    ),
  });
  const rows: [names: string[], wanted: number][] = [
    [['spiffe://ci.example/payments/build'], 0],
    [['sha256:00', 'dns:build.ci.example'], 0],
    [['spiffe://ci.example/payments/build', 'dns:build.ci.example'], 0],
    [['spiffe://ci.example/shop/a'], 1],
    [['spiffe://ci.example/shop/a/b'], NONE],
    [['spiffe://ci.example/shop'], NONE],
    [['spiffe://ci.example/shop/*'], 1],
    [['spiffe://ci.example/shopping/a'], NONE],
    [['spiffe://ci.example/payments/build/x'], NONE],
    [['spiffe://ci.example/payments'], NONE],
    [['spiffe://other.example/x'], 2],
    [['spiffe://other.example/x/y'], NONE],
    [[HASH], 1],
    [[HASH, 'spiffe://ci.example/shop/a'], 1],
    [[HASH, 'dns:build.ci.example'], TWO],
    [['dns:build.ci.example', 'spiffe://else.example/x', 'spiffe://other.example/x'], TWO],
    [['dns:ci.example', 'dns:x.build.ci.example'], NONE],
    [[], NONE],
  ];
  for (const [names, wanted] of rows) t.equal(findCertificate(certificates, names), wanted, names.join(' '));
});

t.test('a certificate that would be two identities is an error at load', async (t) => {
  t.match(clashes(['spiffe://ci.example/a/b'], ['spiffe://ci.example/a/*']), [
    { severity: 'error', at: { line: 1 }, message: /id1 claims/ },
  ]);
  t.match(clashes(['spiffe://ci.example/a/*'], ['spiffe://ci.example/a/b']), [
    { at: { line: 11 }, message: /id0 claims/ },
  ]);
  t.match(clashes(['spiffe://ci.example/a/*'], ['spiffe://ci.example/a/*']), [{ at: { line: 11 } }]);
  t.match(clashes([HASH], [HASH]), [{ at: { line: 11 } }]);
  t.same(
    clashes(['spiffe://ci.example/a/*', 'spiffe://ci.example/a/b'], ['spiffe://ci.example/a/b/c']),
    [],
    'its own, and deeper ones',
  );
  t.same(clashes(['spiffe://ci.example/a/*'], ['spiffe://ci.example/ab/c']), []);
});
