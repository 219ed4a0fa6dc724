import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nameFromText, nameToText } from '../../src/wire/name.ts';
import { Collector } from '../outbox/sinks/collector.ts';
import { Client } from './client.ts';
import { namegate, until } from './namegate.ts';

/** Names that a client chose go through every sink: none breaks a line, a record or a terminal, and each can be had back. */

const POLICY = `identities:
  - { name: me, owner: team, review_by: 2099-01-01, from: { addresses: [127.0.0.1] }, allow: [] }
`;

const octets = (...labels: (string | readonly number[])[]): Buffer => {
  const parts = labels.map((label) => Buffer.from(label as string));
  return Buffer.concat([...parts.flatMap((part) => [Buffer.of(part.length), part]), Buffer.of(0)]);
};
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
/** Case is not told apart, so an event has lower case. */
const lower = (name: Buffer): Buffer =>
  Buffer.from(name.map((octet) => (octet > 64 && octet < 91 ? octet + 32 : octet)));

const NAMES: readonly Buffer[] = [
  ...[range(1, 31), range(32, 90), range(91, 126), range(127, 159), range(160, 207), range(208, 255)].map(
    (label) => octets(label, 'example'),
  ),
  octets([0], 'nul', 'example'),
  octets('{"seq":1}', '{', 'example'),
  octets('\n<133>1 - ns1 namegate - deny - {"seq":1}\n', 'example'),
  octets('12 <133>1 -', '"}],"x":[{"', 'example'),
  octets('\u202egnp.evil', '\u2066', '\u2028\u2029', 'example'),
  octets('\u001b[2J\u001b]0;x\u0007', '\u009b31m', 'example'),
  octets('a.b', '\\', '\\.', '\\010', '"', 'example'),
  octets('${jndi:ldap:', '//x}', '%0a%s%n', '<script>', 'example'),
  // 255 octets, each of which is four characters.
  octets(...[63, 63, 63, 61].map((length) => Array<number>(length).fill(0xff))),
  octets(...Array.from({ length: 127 }, () => [0xfe])),
];

interface Taken {
  /** All that came, as octets. */
  raw(): Buffer;
  events(): Record<string, unknown>[];
}

const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function file(path: string): Taken {
  const raw = (): Buffer => (existsSync(path) ? readFileSync(path) : Buffer.alloc(0));
  return { raw, events: () => linesOf(raw().toString('latin1')) };
}

async function udp(t: Test): Promise<Taken & { readonly port: number }> {
  const socket = createSocket('udp4');
  const found: Buffer[] = [];
  socket.on('message', (message) => found.push(message));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => socket.close());
  const events = () =>
    found.map((each) => JSON.parse(each.toString('latin1').replace(/^[^{]*/, '')) as Record<string, unknown>);
  return { port: socket.address().port, raw: () => Buffer.concat(found), events };
}

async function tcp(t: Test): Promise<Taken & { readonly port: number }> {
  const found: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('data', (data: Buffer) => found.push(data));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const raw = (): Buffer => Buffer.concat(found);
  const events = (): Record<string, unknown>[] => {
    const all: Record<string, unknown>[] = [];
    for (let text = raw().toString('latin1'); text !== ''; ) {
      const [head = '', length = ''] = /^([1-9]\d*) /.exec(text) ?? [];
      const message = text.slice(head.length, head.length + Number(length));
      if (head === '' || message.length < Number(length)) break;
      all.push(JSON.parse(message.replace(/^[^{]*/, '')) as Record<string, unknown>);
      text = text.slice(head.length + message.length);
    }
    return all;
  };
  return { port: (server.address() as { port: number }).port, raw, events };
}

/** The name of an event in either format, as wire octets. */
function wireOf(event: Record<string, unknown>): string {
  const name = event['name'] ?? (event['query'] as { hostname?: string } | undefined)?.hostname;
  const wire = nameFromText(String(name));
  return wire instanceof Uint8Array ? Buffer.from(wire).toString('hex') : `no name: ${name}`;
}

t.test('hostile names through every sink', async (t) => {
  const [datagrams, stream, collector] = [await udp(t), await tcp(t), new Collector()];
  await collector.listen(t);
  const server = await namegate(t, {
    policy: POLICY,
    settings: `server: { name: "ns1 {evil}" }
alerts:
  sinks:
    - { name: json, type: file, to: json, kinds: [deny] }
    - { name: ocsf, type: file, to: ocsf, format: ocsf, kinds: [deny] }
    - { name: stdout, type: stdout, kinds: [deny] }
    - { name: udp, type: syslog, to: "udp://127.0.0.1:${datagrams.port}", kinds: [deny] }
    - { name: tcp, type: syslog, to: "tcp://127.0.0.1:${stream.port}", format: ocsf, kinds: [deny] }
    - { name: otlp, type: otlp, to: "http://127.0.0.1:${collector.port}", kinds: [deny] }
`,
  });
  const sinks: Record<string, Taken> = {
    json: file(join(server.folder, 'json')),
    ocsf: file(join(server.folder, 'ocsf')),
    stdout: {
      raw: () => Buffer.from(server.stdout.slice(server.stdout.indexOf('\n{') + 1), 'utf8'),
      events: () => linesOf(server.stdout),
    },
    udp: datagrams,
    tcp: stream,
    otlp: { raw: () => Buffer.alloc(0), events: () => collector.received.map(({ body }) => ({ ...body })) },
  };
  const client = await Client.open(server, 'udp', '127.0.0.1');
  for (const name of NAMES) await client.ask(nameToText(name));
  client.close();
  const wanted = new Set(NAMES.map((name) => lower(name).toString('hex')));
  for (const [sink, taken] of Object.entries(sinks)) {
    await until(
      () => taken.events().length >= NAMES.length,
      () => `${sink} has ${taken.events().length} of ${NAMES.length}: ${server.stderr}`,
    );
    const events = taken.events();
    t.strictSame(new Set(events.map(wireOf)), wanted, `${sink}: the octets that were asked can be had back`);
    t.equal(events.length, NAMES.length, `${sink}: as many records as questions`);
    t.match(taken.raw().toString('latin1'), /^[\x20-\x7e\n]*$/, `${sink}: nothing but printable ASCII`);
  }
  t.strictSame(collector.faults, [], 'otlp: each request keeps the protocol');
  const beforeBrace = datagrams.raw().toString('latin1').split('{')[0];
  t.match(
    beforeBrace,
    /^<133>1 \S+ ns1__evil_ namegate - deny - $/,
    'nothing in front of the object holds a brace',
  );
  await server.stop(t);
});
