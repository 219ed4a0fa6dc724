import t, { type Test } from 'tap';
import { Authority } from '../identity/authority.ts';
import { DotClient, type DotDial, told } from './dot.ts';
import { edit, loads, policy, type Rig, rig, SECRET, STEADY, VICTIM } from './mutual.ts';
import { pause, until } from './namegate.ts';

/**
 * Who must not be known any more is not, from the moment that the log says so: on connections that ask all the time, on
 * sessions that resume, and in handshakes under way. Who is not meant goes on.
 */

const serverCa = new Authority({ name: 'servers' });
const next = serverCa.issue({ dns: ['dns.example'], eku: ['serverAuth'] });

/** Clients of all kinds that ask without a pause, and when each answer under the old identity was asked for. */
class Crowd {
  readonly secrets: { readonly how: string; readonly sent: number }[] = [];
  readonly after: string[] = [];
  resumed = 0;
  readonly pipelining: DotClient[] = [];
  readonly untouched: DotClient[] = [];
  steadyLost = 0;
  steadyResumed = 0;
  /** When the log said that the change is in force. */
  changedAt = Number.POSITIVE_INFINITY;
  #running = true;
  readonly #work: Promise<void>[] = [];
  readonly #rig: Rig;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  async start(): Promise<void> {
    const { port, victim, steady } = this.#rig;
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (let i = 0; i < 2; i++) this.#pipeline({ port, as: victim, version }, `${version} open`);
      const session = await this.#session({ port, as: victim, version }, 'victim.example');
      this.#redial({ port, as: victim, version, session }, `${version} resumed`);
      this.#redial({ port, as: victim, version }, `${version} full`);
      const kept = await this.#session({ port, as: steady, version }, 'steady.example');
      const client = new DotClient({ port, as: steady, version });
      this.untouched.push(client);
      this.#work.push(this.#steadily(client, { port, as: steady, version, session: kept }));
    }
    await until(
      () => this.secrets.length > 200 && this.resumed > 2,
      () => 'the victim is served before',
    );
  }

  async #session(dial: DotDial, name: string): Promise<Buffer> {
    const client = new DotClient(dial);
    await client.ask(name);
    await until(() => client.session !== null);
    client.close();
    return client.session!;
  }

  #note(how: string, sent: number, word: string): void {
    if (word === SECRET) this.secrets.push({ how, sent });
    else if (sent > this.changedAt && !this.after.includes(`${how}: ${word}`))
      this.after.push(`${how}: ${word}`);
  }

  /** 16 questions in flight at any time. */
  #pipeline(dial: DotDial, how: string): void {
    const client = new DotClient(dial);
    this.pipelining.push(client);
    for (let i = 0; i < 16; i++) {
      this.#work.push(
        (async () => {
          while (this.#running && !client.over) {
            const sent = performance.now();
            this.#note(how, sent, told(await client.ask('victim.example')));
            await pause(5);
          }
        })(),
      );
    }
  }

  #redial(dial: DotDial, how: string): void {
    this.#work.push(
      (async () => {
        while (this.#running) {
          const client = new DotClient(dial);
          const sent = performance.now();
          this.#note(how, sent, told(await client.ask('victim.example')));
          if (client.resumed) this.resumed++;
          client.close();
          await pause(25);
        }
      })(),
    );
  }

  async #steadily(client: DotClient, dial: DotDial): Promise<void> {
    while (this.#running) {
      if (told(await client.ask('steady.example')) !== STEADY) this.steadyLost++;
      const again = new DotClient(dial);
      if (told(await again.ask('steady.example')) !== STEADY) this.steadyLost++;
      if (again.resumed) this.steadyResumed++;
      again.close();
      await pause(20);
    }
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const client of [...this.pipelining, ...this.untouched]) client.close();
    await Promise.all(this.#work);
  }
}

/** Makes a change under load; who asks after it is in force is not the victim any more. */
async function race(
  t: Test,
  made: Rig,
  change: () => void,
  afterwards: readonly string[],
  settled: () => boolean,
): Promise<Crowd> {
  const crowd = new Crowd(made);
  await crowd.start();
  const { server } = made;
  const look = (): void => {
    if (crowd.changedAt === Number.POSITIVE_INFINITY && settled()) crowd.changedAt = performance.now();
  };
  server.child.stderr?.on('data', look);
  change();
  await until(() => {
    look();
    return crowd.changedAt < Number.POSITIVE_INFINITY;
  });
  // What was asked before may still be on its way; then all that comes was asked afterwards.
  await pause(1000);
  const late = crowd.secrets.filter(({ sent }) => sent > crowd.changedAt);
  t.same(late, [], 'nothing asked afterwards is answered under the old identity');
  t.same([...new Set(crowd.after.map((line) => line.split(': ')[1]))].sort(), afterwards);
  t.equal(crowd.steadyLost, 0, 'who is not meant is answered');
  t.notOk(
    crowd.untouched.some(({ over }) => over),
    'on the connections that are open',
  );
  const before = crowd.steadyResumed;
  await until(() => crowd.steadyResumed > before);
  await crowd.stop();
  t.same(server.events('fault'), []);
  return crowd;
}

t.test('revoked', async (t) => {
  const made = await rig(t);
  const { server, clients, victim } = made;
  const change = (): void => server.replace('clients.crl', clients.crl({ revoked: [victim], number: 2 }).pem);
  const crowd = await race(t, made, change, ['closed'], loads(server));
  t.ok(
    crowd.pipelining.every(({ over }) => over),
    'open connections are ended',
  );
  await server.stop(t);
});

t.test('mapped to another identity: connections stay', async (t) => {
  const made = await rig(t);
  const { server } = made;
  const crowd = await race(
    t,
    made,
    () => server.write('policy/test.yaml', policy(null)),
    ['NXDOMAIN'],
    loads(server),
  );
  t.ok(crowd.after.length >= 6, 'open, resumed and new ones');
  await server.stop(t);
});

t.test('a trust domain goes', async (t) => {
  const made = await rig(t, { domain: true });
  const { server } = made;
  const change = (): void => edit(server, (text) => text.replace(/,"trust_domains":\{[^}]*\}/, ''));
  await race(t, made, change, ['closed'], loads(server));
  await server.stop(t);
});

t.test('the CA turns', async (t) => {
  const made = await rig(t, { domain: true });
  const { server } = made;
  const successor = new Authority({ name: 'domain' });
  const change = (): void => {
    server.replace('domain.pem', successor.pem);
    server.replace('server.pem', next.pem);
    server.replace('server.key', next.keyPem);
  };
  await race(t, made, change, ['closed'], loads(server));
  const heir = new DotClient({ port: made.port, as: successor.issue({ uris: [VICTIM] }) });
  t.teardown(() => heir.close());
  t.equal(told(await heir.ask('victim.example')), SECRET, 'who has a certificate of the next CA is known');
  await server.stop(t);
});
