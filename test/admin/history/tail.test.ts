import { createHash } from 'node:crypto';
import { request } from 'node:http';
import t from 'tap';
import { MOST_READERS } from '../../../src/admin/history/live-routes.ts';
import { socketAddress } from '../../../src/admin/http/unix-socket.ts';
import { EventStream } from '../../../src/cli/admin/event-stream.ts';
import { Tail, type TailQuestion } from '../../../src/history/tail.ts';
import type { TokenRights } from '../../../src/settings/settings.ts';
import { type House, house } from '../house.ts';

/** The tail over the API: who is told, how it goes on, and what a reader may cost. */

function withTail(made: House, tail: Tail): void {
  made.historyAnswer = async (question) => ({ told: tail.page(question as TailQuestion, Date.now()) });
}

function deny(tail: Tail, name: string): void {
  const draft = { verdict: 'deny', name, type: 'A' };
  tail.take(
    {
      record: 'decision',
      question: { kind: 'deny', identity: 'build', proven: true, expected: false, at: 0, draft },
    },
    Date.now(),
  );
}

function at(made: House): { socketPath: string } | { host: string; port: string } {
  const [url = ''] = made.admin.urls;
  if (url.startsWith('unix:')) return { socketPath: socketAddress(url.slice('unix:'.length)).path };
  const { hostname, port } = new URL(url);
  return { host: hostname, port };
}

/** Reads until `wanted` events have come, or the server ends the stream. */
function read(
  made: House,
  path: string,
  wanted: number,
  last?: string,
  token?: string,
): Promise<{ events: string[]; id: string | null; status: number }> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(last === undefined ? {} : { 'last-event-id': last }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const sent = request({ ...at(made), path, headers, agent: false }, (response) => {
      const stream = new EventStream();
      const events: string[] = [];
      const done = (): void => {
        sent.destroy();
        resolve({ events, id: stream.lastId, status: response.statusCode ?? 0 });
      };
      if (response.statusCode !== 200 || wanted === 0) return done();
      response
        .on('end', done)
        .setEncoding('utf8')
        .on('data', (piece: string) => {
          for (const { event, data } of stream.take(piece)) events.push(`${event} ${data}`);
          if (events.length >= wanted) done();
        });
    });
    sent.on('error', reject);
    sent.end();
  });
}

t.test('a reader goes on behind the event that it has', async (t) => {
  const made = await house(t);
  const tail = new Tail(() => 'e0');
  withTail(made, tail);
  const first = read(made, '/v1/tail', 2);
  const asking = setInterval(() => deny(tail, `n${count++}.example`), 5);
  let count = 0;
  t.teardown(() => clearInterval(asking));
  const { events, id } = await first;
  t.match(events[0], /^decision .*"n\d+\.example"/);
  const { events: more } = await read(made, '/v1/tail', 1, id!);
  const numberOf = (event: string): number => Number(/"n(\d+)\./.exec(event)?.[1]);
  t.equal(numberOf(more[0]!), numberOf(events.at(-1)!) + 1, 'none is missing, none comes twice');
  t.match((await read(made, '/v1/tail', 1, 'abc.7')).events[0], /^skipped \{"events":null\}/);
  t.equal((await read(made, '/v1/tail', 1, 'what')).status, 400);
  t.equal((await read(made, '/v1/tail?verdict=no', 1)).status, 400);
});

t.test('readers are bounded in number, and one that goes makes room', async (t) => {
  const made = await house(t);
  withTail(made, new Tail(() => 'e0'));
  const open = Array.from({ length: MOST_READERS }, () => {
    const sent = request({ ...at(made), path: '/v1/tail', agent: false });
    sent.on('error', () => {}).end();
    return sent;
  });
  await Promise.all(
    open.map((sent) => new Promise((resolve) => sent.once('response', (r) => resolve(r.resume())))),
  );
  t.equal((await read(made, '/v1/tail', 0)).status, 503);
  open.pop()!.destroy();
  let status = 503;
  while (status === 503) ({ status } = await read(made, '/v1/tail', 0));
  t.equal(status, 200);
  for (const sent of open) sent.destroy();
});

const grant = (
  name: string,
  rights: TokenRights['rights'],
  identities: TokenRights['identities'],
): TokenRights => ({
  name,
  sha256: createHash('sha256').update(name).digest('hex'),
  rights,
  identities,
  addresses: [],
  certificates: [],
  until: 0xffff_ffff,
});

t.test('a token reads what it has the right for, and no longer than it holds', async (t) => {
  const tokens = [
    grant('reader', ['read'], ['build']),
    grant('auditor', ['read'], 'all'),
    grant('opener', ['open'], 'all'),
  ];
  const setting = { kind: 'http', host: '127.0.0.1', port: 0, tokens, oidc: [] } as const;
  const made = await house(t, { setting });
  const asked: (readonly string[] | null)[] = [];
  const tail = new Tail(() => 'e0');
  made.historyAnswer = async (question) => {
    asked.push((question as TailQuestion).identities);
    return { told: tail.page(question as TailQuestion, Date.now()) };
  };
  const status = async (path: string, token: string): Promise<number> =>
    (await read(made, path, 0, undefined, token)).status;
  t.equal(await status('/v1/tail', 'opener'), 403);
  t.equal(await status('/v1/tail', 'nobody'), 401);
  t.equal(await status('/v1/tail?identity=steady', 'reader'), 403);
  t.equal(await status('/v1/top?identity=steady', 'reader'), 403);
  t.equal(await status('/v1/top', 'opener'), 403);
  t.equal(await status('/v1/tail', 'reader'), 200);
  t.equal(await status('/v1/tail?identity=steady', 'auditor'), 200);
  t.equal(await status('/v1/tail', 'auditor'), 200);
  t.same([...new Set(asked.map((list) => JSON.stringify(list)))], ['["build"]', '["steady"]', 'null']);

  const reading = read(made, '/v1/tail', 1, undefined, 'reader');
  made.admin.configure(made.snapshot, { ...setting, tokens: [] }, { maxTtl: 60 });
  const passing = setInterval(() => made.clock.pass(1), 20);
  t.teardown(() => clearInterval(passing));
  t.same((await reading).events, [], 'a token that is taken back takes its reader with it');
});
