import { networkInterfaces } from 'node:os';
import t from 'tap';
import { data, dig, kdig } from './dig.ts';
import { namegate, nsd, zones } from './peers.ts';
import { missing, run } from './process.ts';

const POLICY = `
identities:
  - name: job
    owner: team-payments
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1, "::1"] }
    allow:
      - { name: www.example, owner: team, reason: test }
      - { name: large.example, types: [TXT], owner: team, reason: test }
      - { name: local.example, owner: team, reason: test }
records:
  - { name: local.example, type: A, data: 192.0.2.200 }
`;

const loopback6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

t.test('what dig and kdig can ask', { skip: missing('nsd', 'ldns-signzone', 'dig', 'kdig') }, async (t) => {
  const { example } = await zones(t);
  const authority = await nsd(t, [example]);
  const server = await namegate(t, {
    policy: POLICY,
    upstream: `[udp://127.0.0.1:${authority.port}]`,
    alsoOn: loopback6 ? ['[::1]'] : [],
  });
  const addresses = ['192.0.2.10', '192.0.2.11'];

  for (const [name, tool] of [
    ['dig', dig],
    ['kdig', kdig],
  ] as const) {
    const ask = (question: string) => tool(server, question);

    await t.test(`${name}: plain questions`, async (t) => {
      t.strictSame(data(await ask('www.example A'), 'A'), addresses);
      t.strictSame(data(await ask('www.example A +tcp'), 'A'), addresses);
      t.strictSame(data(await ask('WwW.eXaMpLe A'), 'A'), addresses);
      // kdig asks in lower case, whatever it is told.
      if (name === 'dig')
        t.match((await ask('WwW.eXaMpLe A')).text, /;WwW\.eXaMpLe\./, 'the question keeps its case');
      t.strictSame(data(await ask('local.example A'), 'A'), ['192.0.2.200']);
      t.ok((await ask('local.example A')).flags.includes('aa'));
      t.strictSame(data(await ask('localhost A'), 'A'), ['127.0.0.1']);
      t.strictSame(data(await ask('localhost AAAA'), 'AAAA'), ['::1']);
    });

    await t.test(`${name}: RD, CD and AD`, async (t) => {
      const iterative = await ask('local.example A +nordflag');
      t.notOk(iterative.flags.includes('rd'), 'RD is copied');
      t.strictSame(data(iterative, 'A'), ['192.0.2.200']);
      const checked = await ask('www.example A +cdflag');
      t.ok(checked.flags.includes('cd'), 'CD is copied');
      t.strictSame(data(checked, 'A'), addresses);
      t.notOk((await ask('www.example A +adflag')).flags.includes('ad'), 'plain UDP upstream proves nothing');
    });

    await t.test(`${name}: EDNS`, async (t) => {
      t.ok((await ask('www.example A +edns=0')).edns);
      const plain = await ask('www.example A +noedns');
      t.notOk(plain.edns, 'OPT only when asked');
      t.strictSame(data(plain, 'A'), addresses);
      const denied = await ask('secret.example A +noedns');
      t.strictSame([denied.status, denied.ede], ['NXDOMAIN', []], 'EDE only where the question had OPT');
      const flags = '+nsid +subnet=192.0.2.0/24 +ednsopt=65001:c0ffee';
      const optional = await ask(`www.example A ${flags} +edns=0`);
      t.strictSame(data(optional, 'A'), addresses);
      t.notMatch(
        optional.text,
        /^;+ *(?:NSID|CLIENT-SUBNET|COOKIE|OPT=65001|Unknown)/im,
        'options are not answered',
      );
      // dig would go back to version 0 by itself.
      const newer = name === 'dig' ? '+edns=1 +noednsnegotiation' : '+edns=1';
      t.equal((await ask(`www.example A ${newer}`)).status, 'BADVERS');
    });

    await t.test(`${name}: sizes`, async (t) => {
      for (const size of [512, 100, 1232, 4096, 65535]) {
        const answer = await ask(`large.example TXT +bufsize=${size} +ignore`);
        t.ok(answer.flags.includes('tc'), `${size} octets are offered, 1232 at most are used`);
        t.strictSame(answer.answer, []);
        t.ok(answer.size <= 512);
      }
      t.equal((await ask('large.example TXT +tcp')).answer.length, 18);
    });

    await t.test(`${name}: types and classes with rules of their own`, async (t) => {
      const any = await ask('www.example ANY +notcp');
      t.strictSame(data(any, 'HINFO'), ['"RFC8482" ""']);
      t.equal((await ask('version.bind TXT CH')).status, 'REFUSED');
      t.match((await ask('www.example AXFR')).text, /REFUSED|Transfer failed/i);
      // Its question has an authority section.
      t.match((await ask('www.example IXFR=1')).text, name === 'dig' ? /Transfer failed/ : /'REFUSED'/);
    });
  }

  await t.test('dig: opcodes and a message without a question', async (t) => {
    for (const [opcode, status] of [
      [1, 'NOTIMP'],
      [2, 'NOTIMP'],
      [3, 'NOTIMP'],
      [4, 'REFUSED'],
      [5, 'REFUSED'],
      [6, 'NOTIMP'],
      [15, 'NOTIMP'],
    ] as const) {
      const answer = await dig(server, `www.example A +opcode=${opcode}`);
      t.equal(answer.status, status, `opcode ${opcode}`);
    }
    t.equal((await dig(server, '+header-only')).status, 'FORMERR');
  });

  await t.test('dig: cookies are answered, and keepalive on TCP', async (t) => {
    const cookie = await dig(server, 'www.example A +cookie=0123456789abcdef');
    t.strictSame(data(cookie, 'A'), addresses);
    t.match(cookie.text, /^; COOKIE: 0123456789abcdef01[0-9a-f]{30} \(good\)$/m);
    t.match((await dig(server, 'www.example A +tcp +keepalive')).text, /TCP.KEEPALIVE/i);
    t.notMatch(
      (await dig(server, 'www.example A +keepalive')).text,
      /^; TCP.KEEPALIVE/im,
      'not on UDP (RFC 7828)',
    );
  });

  await t.test('dig: many questions on one connection', async (t) => {
    const names = ['www.example', 'local.example', 'secret.example', 'www.example'];
    const { stdout } = await run([
      'dig',
      '+tcp',
      '+keepopen',
      `@${server.host}`,
      '-p',
      `${server.port}`,
      ...names,
    ]);
    t.strictSame(
      [...stdout.matchAll(/status: (\w+)/g)].map(([, status]) => status),
      ['NOERROR', 'NOERROR', 'NXDOMAIN', 'NOERROR'],
    );
  });

  await t.test('dig: why', async (t) => {
    const why = await dig(server, 'secret.example._why.namegate.internal TXT');
    t.equal(why.status, 'NOERROR');
    t.match(data(why, 'TXT').join(''), /secret\.example/);
    const denied = await dig(server, 'secret.example A');
    t.match(denied.ede, [{ code: 15, text: /^job: .+; ask team-payments/ }]);
  });

  await t.test('over IPv6', { skip: loopback6 ? false : 'this machine has no ::1' }, async (t) => {
    const six = { host: '::1', port: server.port };
    t.strictSame(data(await dig(six, 'www.example A'), 'A'), addresses);
    t.strictSame(data(await dig(six, 'www.example A +tcp'), 'A'), addresses);
  });
});
