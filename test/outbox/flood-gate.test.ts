import t, { type Test } from 'tap';
import { HEARD_DOMAINS, HEARD_OF_DOMAIN } from '../../src/outbox/flood-gate.ts';
import type { Follower } from '../../src/outbox/follower.ts';
import type { QueryOptions } from '../resolve/house.ts';
import { policy } from '../resolve/policy.ts';
import { Rig } from './rig.ts';

const POLICY = policy({
  builder: {
    allow: ['github.com', 'store.example.co.uk'],
    more: ['stages: { fetch: { allow: [{ name: pypi.org, reason: packages }] } }'],
  },
  other: { allow: ['github.com'] },
});

interface HeardQuestion {
  readonly name: string;
  readonly identity: string;
  /** Questions that it stands for before detectors; 0 where they are not to hear it. */
  readonly stands: number;
}

/** A feed whose denials detectors hear, and what has a slot. */
class Flooded {
  readonly feed: Rig;
  readonly heard: HeardQuestion[] = [];

  /** `taken`: what a sink takes. */
  constructor(t: Test, taken: readonly 'deny'[] = []) {
    this.feed = new Rig(t, POLICY, ['deny']);
    this.feed.writer.want(taken, ['deny']);
    const follower: Follower = {
      take: (record) => {
        if (record.record !== 'decision') return;
        const { draft, identity, more, isUnheard } = record.question;
        this.heard.push({ name: draft.name ?? '', identity, stands: isUnheard ? 0 : 1 + more });
      },
      flush: () => {},
      commit: () => {},
      close: () => {},
    };
    this.feed.followers = [follower];
    this.feed.store.close();
    this.feed.open();
    this.feed.loop.keep([]);
  }

  async ask(
    count: number,
    name: (i: number) => string,
    from: QueryOptions = { from: '127.0.0.1' },
  ): Promise<void> {
    for (let i = 0; i < count; i++) await this.feed.house.ask(name(i), 'A', from);
  }

  /** Takes what was heard, of the names that end so. */
  take(end = ''): { readonly slots: number; readonly questions: number } {
    this.feed.take();
    const found = this.heard.filter(({ name }) => name.endsWith(end));
    return { slots: found.length, questions: found.reduce((sum, { stands }) => sum + stands, 0) };
  }
}

t.test(
  'of a flood under one domain a part is heard in each second, and each question is counted',
  async (t) => {
    const flooded = new Flooded(t);
    const { house, writer } = flooded.feed;
    await flooded.ask(300, (i) => `n${i}.evil.example`);
    t.strictSame(flooded.take(), { slots: HEARD_OF_DOMAIN, questions: HEARD_OF_DOMAIN });
    house.pass(1);
    await flooded.ask(1, () => 'next.evil.example');
    t.strictSame(
      flooded.take(),
      { slots: HEARD_OF_DOMAIN + 1, questions: 301 },
      'the next stands for those between',
    );
    await flooded.ask(100, (i) => `m${i}.evil.example`);
    house.pass(5);
    writer.gate.settle(house.now);
    t.equal(flooded.take().questions + writer.gate.unheard, 401, 'what none stood for is unheard');
  },
);

t.test('a flood hides no other domain, client, type or identity', async (t) => {
  const flooded = new Flooded(t);
  await flooded.ask(300, (i) => `n${i}.evil.example`);
  await flooded.ask(5, (i) => `n${i}.quiet.example`);
  await flooded.ask(5, (i) => `n${i}.evil.example`, { from: '127.0.0.2' });
  t.equal(flooded.take('quiet.example').slots, 5);
  t.equal(flooded.take().slots, HEARD_OF_DOMAIN + 10);
  await flooded.feed.house.ask('n.evil.example', 'NULL', { from: '127.0.0.1' });
  t.equal(flooded.take().slots, HEARD_OF_DOMAIN + 11);
});

t.test(
  'of ever other domains more are heard than a sweep takes, and what must not be missed comes beside them',
  async (t) => {
    const flooded = new Flooded(t);
    const { gate } = flooded.feed.writer;
    await flooded.ask(1, () => 'a.before.example');
    await flooded.ask(1_000, (i) => `www.d${i}.example`);
    t.equal(flooded.take().slots, HEARD_DOMAINS);
    t.equal(gate.unheard, 1_001 - HEARD_DOMAINS);
    for (const name of ['x.oast.fun', 'y.dnsbin.zhack.ca', 'pypi.org', 'b.before.example']) {
      await flooded.ask(1, () => name);
      t.equal(flooded.take(name).slots, 1, name);
    }
    await flooded.ask(1, () => 'zhack.example');
    t.equal(flooded.take('zhack.example').slots, 0, 'and nothing else');
  },
);

t.test('a flood under a public suffix hides no name there that looks like an approved one', async (t) => {
  const flooded = new Flooded(t);
  await flooded.ask(300, (i) => `n${i}.co.uk`);
  await flooded.ask(100, (i) => `n${i}.exampel.co.uk`);
  t.equal(flooded.take('exampel.co.uk').slots, HEARD_OF_DOMAIN);
  await flooded.ask(1, () => 'examples.co.uk');
  t.equal(flooded.take('examples.co.uk').slots, 1, 'nor does a flood of such names hide another');
});

t.test('what a forged source may have sent is not heard', async (t) => {
  const flooded = new Flooded(t);
  await flooded.ask(5, (i) => `n${i}.evil.example`, { from: '127.0.0.1', spoofable: true });
  t.equal(flooded.take().slots, 0);
});

t.test('where a sink takes denials or somebody looks on, each has its slot', async (t) => {
  const taken = new Flooded(t, ['deny']);
  await taken.ask(100, (i) => `n${i}.evil.example`);
  t.equal(taken.take().slots, 100);
  const watched = new Flooded(t);
  const { house, writer } = watched.feed;
  writer.showAll(house.now + 60_000);
  await watched.ask(100, (i) => `n${i}.evil.example`);
  t.equal(watched.take().slots, 100);
  house.pass(61);
  await watched.ask(100, (i) => `m${i}.evil.example`);
  t.equal(watched.take().slots, 100 + HEARD_OF_DOMAIN);
});

t.test('detectors hear as much of a flood whoever takes its slots', async (t) => {
  const taken = new Flooded(t, ['deny']);
  const { house } = taken.feed;
  await taken.ask(300, (i) => `n${i}.evil.example`);
  t.strictSame(taken.take(), { slots: 300, questions: HEARD_OF_DOMAIN });
  house.pass(1);
  await taken.ask(1, () => 'next.evil.example');
  t.strictSame(taken.take(), { slots: 301, questions: 301 }, 'the next stands for those between');
  await taken.ask(5, (i) => `f${i}.other.example`, { from: '127.0.0.1', spoofable: true });
  t.strictSame(taken.take('other.example'), { slots: 5, questions: 0 }, 'of a forged source none');
});
