import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { stubSettings } from '../../../src/cli/process/stub-verb.ts';
import { freePort } from '../../interop/process.ts';
import {
  askUdp,
  clientFiles,
  clients,
  dot,
  type Files,
  query,
  rcode,
  StreamClient,
} from '../../stub/peers.ts';
import { MAIN, namegate, say } from '../command.ts';

// They wait more than they work.
t.jobs = 2;

const SERVER = 'tls://127.0.0.1:8530#dns.example';
const FILES = { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' };

t.test('what the options mean', async (t) => {
  const read = (listen: string, ...server: string[]) => stubSettings({ ...FILES, listen, server });
  t.match(read('127.0.0.1:53', SERVER, 'tls://[2001:db8::1]', 'tls://192.0.2.1#192.0.2.7'), {
    listen: { host: '127.0.0.1', port: 53 },
    servers: [
      { host: '127.0.0.1', port: 8530, name: 'dns.example' },
      { host: '2001:db8::1', port: 853, name: null },
      { host: '192.0.2.1', port: 853, name: '192.0.2.7' },
    ],
    files: { cert: `${process.cwd()}/tls.crt` },
  });
  t.match(read('[::1]:5300', 'tls://192.0.2.1#DNS.example.'), {
    listen: { host: '::1', port: 5300 },
    servers: [{ name: 'dns.example' }],
  });
  for (const [listen, server, said] of [
    ['0.0.0.0:53', SERVER, /^--listen 0\.0\.0\.0:53: whoever reaches it .* write a loopback address/],
    ['192.0.2.1', SERVER, /loopback/],
    ['[::]:53', SERVER, /loopback/],
    ['localhost:53', SERVER, /write an address/],
    ['127.0.0.1:0', SERVER, /write a port/],
    [
      '127.0.0.1',
      'tls://dns.example:853',
      /dns\.example is a name, .* write tls:\/\/ADDRESS:853#dns\.example$/,
    ],
    ['127.0.0.1', 'udp://192.0.2.1', /mutual TLS alone; write tls:/],
    ['127.0.0.1', 'https://192.0.2.1', /write|ask/],
    ['127.0.0.1', '192.0.2.1', /write/],
    ['127.0.0.1', 'tls://192.0.2.1#', /is no host name/],
    ['127.0.0.1', 'tls://192.0.2.1#a b', /a b is no host name; write the name/],
    ['127.0.0.1', 'tls://192.0.2.1:0', /port/],
    ['127.0.0.1', 'tls://0.0.0.0', /no address of a server/],
  ] as const) {
    t.match(read(listen, server), said);
  }
  t.match(read('127.0.0.1', SERVER, SERVER), /given twice/);
  t.match(stubSettings({ ...FILES, key: '', listen: '127.0.0.1', server: [SERVER] }), /--key is empty/);
});

const line = (files: Files, ...rest: string[]): string[] => [
  ...['stub', '--cert', files.cert, '--key', files.key, '--ca', files.ca],
  ...rest,
];

t.test('mistakes in the command line exit 2', async (t) => {
  const files = clientFiles(t);
  for (const [args, said] of [
    [['stub'], /required option '-s, --server <url>' not specified\n\(namegate stub --help has examples\)/],
    [
      ['stub', '--server', SERVER, '--cert', 'a', '--key', 'b'],
      /required option '--ca <file>' not specified/,
    ],
    [
      line(files, '--server', 'tls://dns.example'),
      /namegate stub: --server tls:\/\/dns\.example: .*; write tls:/,
    ],
    [line(files, '--server', SERVER, '--listen', '0.0.0.0:53'), /namegate stub: --listen/],
    [line(files, '--server', SERVER, '--clear'), /unknown option '--clear'/],
  ] as const) {
    const { code, stdout, stderr } = await say(args);
    t.equal(code, 2);
    t.equal(stdout, '');
    t.match(stderr, said);
  }
});

t.test('files that cannot be used exit 1, with the file and what to do', async (t) => {
  for (const [spoil, said] of [
    [(f: Files) => rmSync(f.cert), /not started: \S+tls\.crt is not there; create it/],
    [
      (f: Files) => writeFileSync(f.key, clients.issue().keyPem),
      /tls\.key is not the key of .*tls\.crt; give/,
    ],
    [(f: Files) => writeFileSync(f.ca, 'nothing'), /ca\.crt holds no certificate; write PEM/],
  ] as const) {
    const files = clientFiles(t);
    spoil(files);
    const { code, stderr } = await say(line(files, '--server', SERVER));
    t.equal(code, 1);
    t.match(stderr, said);
  }
});

interface Process {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output(): string;
  /** Events of the log. */
  log(): Record<string, unknown>[];
}

async function run(t: Test, args: readonly string[]): Promise<Process> {
  const child = spawn('env', ['-i', `PATH=${process.env['PATH']}`, process.execPath, MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const log = () =>
    errors
      .split('\n')
      .filter((text) => text.startsWith('{') && text.endsWith('}'))
      .map((text) => JSON.parse(text) as Record<string, unknown>);
  for (let left = 200; !log().some(({ event }) => event === 'ready'); left--) {
    if (left === 0 || child.exitCode !== null) throw new Error(`it is not ready: ${output}${errors}`);
    await wait(25);
  }
  return { child, ended, output: () => output, log };
}

t.test('a process of its own serves, and ends well', async (t) => {
  const files = clientFiles(t);
  const held: (() => void)[] = [];
  const server = await dot(t, ({ octets }, send) => {
    const reply = Buffer.from(octets);
    reply[2] = 0x81;
    if (octets.includes('slow')) held.push(() => send(reply));
    else send(reply);
  });
  const port = await freePort();
  const url = `tls://127.0.0.1:${server.port}#dns.example`;
  const stub = await run(t, line(files, '--listen', `127.0.0.1:${port}`, '--server', url));
  t.match(stub.log().at(-1), { level: 'info', event: 'ready', server: url });
  t.equal(rcode(await askUdp(port, query(1))), 0);
  const client = await StreamClient.dial(port);
  client.send(query(2));
  t.equal((await client.next())?.readUInt16BE(0), 2);
  client.close();
  t.match(stub.output(), /^namegate \S+ stub\n {2}listening +udp:\/\/127\.0\.0\.1:\d+\n {2}listening +tcp:/);
  t.match(stub.output(), `  server      ${url}\n`);

  const slow = askUdp(port, query(3, 'slow.example'));
  while (held.length === 0) await wait(10);
  stub.child.kill('SIGTERM');
  await wait(50);
  held[0]?.();
  t.equal(rcode(await slow), 0, 'what was in flight is answered');
  t.equal(await stub.ended, 0);
  t.match(stub.log().at(-1), { event: 'stopped', queries: { answered: 3, failed: 0 } });
});

t.test('without a server it is ready, says so, and answers SERVFAIL', async (t) => {
  const files = clientFiles(t);
  const [port, nobody] = [await freePort(), await freePort()];
  const at = ['--listen', `127.0.0.1:${port}`, '--server', `tls://127.0.0.1:${nobody}#dns.example`];
  const stub = await run(t, line(files, ...at));
  t.match(stub.log().at(-1), { level: 'warn', event: 'ready', server: null });
  t.ok(stub.log().some(({ event, detail }) => event === 'upstream-down' && detail === 'ECONNREFUSED'));
  t.equal(rcode(await askUdp(port, query(1))), 2);
  files.write();
  stub.child.kill('SIGHUP');
  while (stub.log().filter(({ event }) => event === 'certificate-loaded').length < 2) await wait(10);
  stub.child.kill('SIGINT');
  t.equal(await stub.ended, 0);
});

t.test('a port that is taken exits 1', async (t) => {
  const taken = createSocket('udp4');
  await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const at = ['--listen', `127.0.0.1:${taken.address().port}`, '--server', SERVER];
  const { code, stderr } = await namegate(line(clientFiles(t), ...at));
  t.equal(code, 1);
  t.match(stderr, /namegate stub: not started: .*is taken: another program listens there/);
});
