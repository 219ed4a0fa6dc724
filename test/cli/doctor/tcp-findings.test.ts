import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { muslVersion, tcpFindings } from '../../../src/cli/doctor/tcp-findings.ts';

const udp = { protocol: 'udp', host: '0.0.0.0', port: 53 } as const;

t.test('doctor says which listeners send whom to TCP', async (t) => {
  t.same(
    tcpFindings(
      [
        { ...udp, spoofable: false },
        { protocol: 'tcp', host: '::', port: 53 },
      ],
      '1.2.4',
    ),
    [],
  );
  const except = [{ family: 4 as const, words: [0x0a140000], length: 16 }];
  const found = tcpFindings(
    [
      { ...udp, spoofable: true },
      { ...udp, spoofable: { except } },
    ],
    null,
  );
  t.match(found, [
    { check: 'tcp', status: 'note', message: /0\.0\.0\.0 port 53 .*cookie; a resolver/ },
    { check: 'tcp', status: 'note', message: /but for 10\.20\.0\.0\/16/ },
  ]);
});

t.test('and whether musl here could follow', async (t) => {
  const about = (version: string): number => tcpFindings([], version).length;
  t.same(['1.1.24', '1.2.3', '1.2.4', '1.2.5', '1.3.0', '2.0.0'].map(about), [1, 1, 0, 0, 0, 0]);
  const folder = t.testdir({
    'ld-musl-x86_64.so.1': '#!/bin/sh\nprintf "musl libc\\nVersion 1.2.2\\n" >&2; exit 1\n',
  });
  chmodSync(join(folder, 'ld-musl-x86_64.so.1'), 0o755);
  t.equal(muslVersion(folder), '1.2.2');
  t.equal(muslVersion(`${t.testdirName}/nowhere`), null);
});
