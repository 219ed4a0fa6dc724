import t from 'tap';
import { Authority } from '../identity/authority.ts';
import { DotClient, told } from './dot.ts';
import { edit, loads, rig, SECRET, STEADY } from './mutual.ts';
import { pause, until } from './namegate.ts';

// They wait more than they work.
t.jobs = 4;

/**
 * Asks until the connection is over, and returns the times, in milliseconds after `end` (seconds since 1970), of questions that
 * were asked afterwards and answered all the same. However slow the machine is, there is none: both have one clock.
 */
async function askedLate(client: DotClient, end: number): Promise<number[]> {
  const late: number[] = [];
  while (!client.over) {
    const asked = Date.now() - end * 1000;
    if (told(await client.ask('victim.example')) === SECRET && asked >= 0) late.push(asked);
    await pause(5);
  }
  return late;
}

t.test('a CRL that cannot be used changes nothing, and is told', async (t) => {
  const made = await rig(t);
  const { server, clients, victim, steady, port } = made;
  const stranger = new Authority({ name: 'clients' });
  const client = new DotClient({ port, as: victim });
  t.teardown(() => client.close());
  t.equal(told(await client.ask('victim.example')), SECRET);
  const bad = [
    stranger.crl({ revoked: [victim.serial] }).pem,
    new Authority({ name: 'strangers' }).crl({ revoked: [victim.serial] }).pem,
    clients.crl({ revoked: [victim] }).pem.replace(/\n[^\n]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'),
    '',
  ];
  for (const [index, text] of bad.entries()) {
    server.replace('clients.crl', text);
    await server.logged('reload-failed', index + 1);
    t.equal(told(await client.ask('victim.example')), SECRET);
    const again = new DotClient({ port, as: steady });
    t.equal(told(await again.ask('steady.example')), STEADY);
    again.close();
  }
  server.replace('clients.crl', clients.crl({ revoked: [victim], number: 3 }).pem);
  await client.closed;
  t.ok(client.over, 'a good one does');
  await server.stop(t);
});

t.test('a CRL ends while they are connected: nobody of its CA is served', async (t) => {
  const end = Math.ceil(Date.now() / 1000) + 5;
  const made = await rig(t, { crl: (ca) => ca.crl({ nextUpdate: new Date(end * 1000) }).pem });
  const { server, port, victim, clients } = made;
  const session = new DotClient({ port, as: victim });
  const client = new DotClient({ port, as: victim });
  t.teardown(() => client.close());
  t.equal(told(await session.ask('victim.example')), SECRET);
  t.same(await askedLate(client, end), [], 'nothing that was asked afterwards is answered');
  const resumed = new DotClient({ port, as: victim, session: session.session! });
  t.equal(told(await resumed.ask('victim.example')), 'closed');
  session.close();
  server.replace('clients.crl', clients.crl({ number: 2 }).pem);
  await until(async () => {
    const again = new DotClient({ port, as: victim });
    const word = told(await again.ask('victim.example'));
    again.close();
    return word === SECRET;
  });
  t.pass('the next CRL lets them in again');
  await server.stop(t);
});

t.test('a certificate ends while it is connected', async (t) => {
  const end = Math.ceil(Date.now() / 1000) + 5;
  const { server, port, victim } = await rig(t, { victim: { notAfter: new Date(end * 1000) } });
  const client = new DotClient({ port, as: victim });
  t.teardown(() => client.close());
  t.equal(told(await client.ask('victim.example')), SECRET);
  t.same(await askedLate(client, end), [], 'nothing that was asked afterwards is answered');
  await server.stop(t);
});

t.test(
  'clients: required, none, optional, required again: a certificate counts where it is asked for',
  async (t) => {
    const { server, port, victim } = await rig(t);
    const open = new DotClient({ port, as: victim });
    t.teardown(() => open.close());
    t.equal(told(await open.ask('victim.example')), SECRET);
    const modes: [mode: string, known: string, without: string][] = [
      ['none', 'NXDOMAIN', 'NXDOMAIN'],
      ['optional', SECRET, 'NXDOMAIN'],
      ['required', SECRET, 'closed'],
    ];
    for (const [mode, known, without] of modes) {
      const isIn = loads(server);
      const trust = mode === 'none' ? '' : ',"client_ca":"clients.pem","crl":"clients.crl"';
      edit(server, (text) => text.replace(/"clients":"\w+"[^}]*/, `"clients":"${mode}"${trust}`));
      await until(isIn);
      t.equal(told(await open.ask('victim.example')), known, `${mode}: open`);
      const fresh = new DotClient({ port, as: victim, session: open.session! });
      t.equal(told(await fresh.ask('victim.example')), known, `${mode}: from a session of before`);
      fresh.close();
      const bare = new DotClient({ port, as: null });
      t.equal(told(await bare.ask('victim.example')), without, `${mode}: without`);
      bare.close();
    }
    await server.stop(t);
  },
);
