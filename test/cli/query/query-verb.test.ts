import t from 'tap';
import { namegate, say } from '../command.ts';
import { record, replyTo, responder, txt } from '../responder.ts';

const ADDRESS = record(1, Buffer.from([192, 0, 2, 1]), 60);
const LONG_REASON = `build: name not approved; ask ${'someone-with-a-long-name-'.repeat(4)}`;

t.test('what is printed, and the exit codes', async (t) => {
  const server = await responder(t, (query, transport) => {
    const name = query.subarray(13, 13 + query[12]!).toString();
    switch (name) {
      case 'good':
        return [replyTo(query, { answers: [ADDRESS, record(16, txt('a\u001b[2J'), 30)] })];
      case 'empty':
        return [replyTo(query, { flags: 0x8580, ede: { code: 15, text: 'build: type not approved' } })];
      case 'large':
        return [
          transport === 'udp' ? replyTo(query, { flags: 0x8380 }) : replyTo(query, { answers: [ADDRESS] }),
        ];
      case 'denied': {
        const bare = replyTo(query, { rcode: 3, ede: { code: 15, text: '' } });
        const room = transport === 'udp' ? 3 * query.length - bare.length : LONG_REASON.length;
        return [replyTo(query, { rcode: 3, ede: { code: 15, text: LONG_REASON.slice(0, room) } })];
      }
      case 'torn': {
        // TC, and cut within a record.
        const whole = replyTo(query, { flags: 0x8380, answers: [ADDRESS] });
        return transport === 'udp' ? [whole.subarray(0, -3)] : [replyTo(query, { answers: [ADDRESS] })];
      }
      case 'garbage':
        return [Buffer.concat([replyTo(query), Buffer.alloc(5)])];
      default:
        return [];
    }
  });
  const at = `127.0.0.1:${server.port}`;
  const ask = (...args: string[]) => say(['query', ...args, '--server', at]);
  const [good, empty, large, torn, json, denied, silent, garbage, refused] = await Promise.all([
    ask('good.example'),
    ask('empty.example', 'AAAA'),
    ask('large.example'),
    ask('torn.example'),
    ask('good.example', '--tcp', '--json'),
    ask('denied.example'),
    ask('silent.example', '--timeout', '300ms', '--json'),
    ask('garbage.example'),
    say(['query', 'good.example', '--server', '127.0.0.1:1']),
  ]);
  t.equal(good.code, 0);
  t.match(
    good.stdout,
    new RegExp(`^; good\\.example A: NOERROR; flags qr rd ra; ${at} over udp; [\\d.]+ ms\\n`),
  );
  t.match(
    good.stdout,
    /\ngood\.example\t60\tIN\tA\t192\.0\.2\.1\ngood\.example\t30\tIN\tTXT\t"a\\027\[2J"\n$/,
  );
  t.equal(good.stderr, '');

  t.equal(empty.code, 0, 'no data is NOERROR');
  t.match(
    empty.stdout,
    /AAAA: NOERROR; flags qr aa rd ra; .*\n; EDE 15 \(Blocked\): build: type not approved\n; no data\n$/,
  );

  t.equal(large.code, 0);
  t.match(large.stdout, /over tcp \(truncated over udp\);.*\nlarge\.example\t60\tIN\tA\t192\.0\.2\.1\n$/);

  t.equal(torn.code, 0);
  t.match(torn.stdout, /over tcp \(truncated over udp\);.*\ntorn\.example\t60\tIN\tA\t192\.0\.2\.1\n$/);

  t.equal(json.code, 0);
  const { ms, ...rest } = JSON.parse(json.stdout) as Record<string, unknown>;
  t.type(ms, 'number');
  t.same(rest, {
    server: at,
    transport: 'tcp',
    truncated: false,
    name: 'good.example',
    type: 'A',
    status: 'NOERROR',
    flags: ['qr', 'rd', 'ra'],
    answers: [
      { name: 'good.example', ttl: 60, class: 'IN', type: 'A', data: '192.0.2.1' },
      { name: 'good.example', ttl: 30, class: 'IN', type: 'TXT', data: '"a\\027[2J"' },
    ],
    authority: [],
    additional: [],
    ede: [],
  });

  t.equal(denied.code, 1);
  t.match(denied.stdout, /over tcp \(truncated over udp\)/);
  t.match(
    denied.stdout,
    `; EDE 15 (Blocked): ${LONG_REASON}\n`,
    'a reason that was cut is asked for again over TCP',
  );

  t.equal(silent.code, 1);
  t.match(JSON.parse(silent.stdout), { status: null, error: 'no answer within 0.3 s' });
  t.equal(garbage.code, 1);
  t.match(garbage.stderr, /the reply is malformed \(trailing/);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /nothing from 127\.0\.0\.1:1 over udp: refused/);
  t.equal(refused.stdout, '');
});

t.test('the server of the server file is asked', async (t) => {
  const server = await responder(t, (query, transport) => [
    replyTo(query, { answers: transport === 'udp' ? [ADDRESS] : [] }),
  ]);
  const file = (port: number): string =>
    `listen: ["tcp://127.0.0.1:1", "udp://127.0.0.1:0", "udp://0.0.0.0:${port}"]\nupstreams: { default: { servers: ["udp://127.0.0.1:2"] } }\npolicy: policy.yaml\n`;
  const cwd = t.testdir({
    config: { 'namegate.yaml': file(server.port), 'policy.yaml': 'identities: []\n' },
    'broken.yaml': 'listen: 3\n',
  });
  const [byDefault, named, broken, missing] = await Promise.all([
    namegate(['query', 'good.example', '--json'], { cwd }),
    say(['query', 'good.example', '--json', '--config', `${cwd}/config/namegate.yaml`, '--tcp']),
    say(['query', 'good.example', '--config', `${cwd}/broken.yaml`]),
    say(['query', 'good.example', '--config', `${cwd}/gone.yaml`]),
  ]);
  t.match(JSON.parse(byDefault.stdout), { server: `127.0.0.1:${server.port}`, status: 'NOERROR' });
  t.match(
    JSON.parse(named.stdout),
    { server: '127.0.0.1:1', error: /refused/ },
    'over TCP, its TCP listener',
  );
  for (const ran of [broken, missing]) {
    t.equal(ran.code, 2);
    t.match(ran.stderr, /\/(broken|gone)\.yaml:1:\d+: /);
  }
});

t.test('mistakes in the command line exit 2, and nothing is asked', async (t) => {
  const server = await responder(t, (query) => [replyTo(query)]);
  const at = ['--server', `127.0.0.1:${server.port}`];
  const table: readonly [readonly string[], RegExp][] = [
    [['a\\.b.example'], /a label holds a dot, and dns2/],
    [['a..example'], /"a\.\.example" is no name/],
    [['a.example', 'QQ'], /QQ is no RR type/],
    [['a.example', '--timeout', '5'], /--timeout: "5" is no duration; write 5s/],
    [['a.example', '--timeout', '0s'], /--timeout: write a duration/],
    [['a.example', '--server', 'dns.example'], /--server dns\.example: write an address/],
  ];
  for (const [{ code, stdout, stderr }, said] of await Promise.all(
    table.map(async ([args, said]) => [await say(['query', ...at, ...args]), said] as const),
  )) {
    t.equal(code, 2);
    t.equal(stdout, '');
    t.match(stderr, said);
  }
  t.same(server.seen, []);
});
