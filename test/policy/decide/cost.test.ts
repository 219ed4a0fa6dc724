/** What a decision costs: no memory, and the same time with ten rules and with a hundred thousand. */
import { getHeapStatistics } from 'node:v8';
import t from 'tap';
import { closestAncestor } from '../../../src/policy/decide/beside.ts';
import { decide } from '../../../src/policy/decide/decide.ts';
import { Decision, type Subject } from '../../../src/policy/decide/decision.ts';
import { findAddress } from '../../../src/policy/identity.ts';
import type { Snapshot, View } from '../../../src/policy/snapshot.ts';
import { ipAddress } from '../../../src/wire/ip-address.ts';
import { labelOffsets } from '../../../src/wire/name.ts';
import { Query, readQuery } from '../../../src/wire/question.ts';
import { message, opt, question } from '../../wire/build.ts';
import { compiled, destination, entries, identity, list, NOW, rule, wire } from '../build.ts';

function subject(text: string): Subject {
  const name = wire(text);
  const labels = new Uint8Array(128);
  return { name, labels, labelCount: labelOffsets(name, labels) };
}

/** A policy with so many rules, in several destinations, of every kind; the questions below mean the same in each. */
function policyOf(rules: number): Snapshot {
  const lines = Array.from({ length: rules }, (_, i) => {
    const zone = `z${i % 97}.y${i % 1013}.example`;
    if (i % 10 === 0) return `n{0..${i % 50}}.f${i}.${zone}`;
    if (i % 10 === 1) return `*.s${i}.${zone}`;
    if (i % 10 === 2) return `**.g${i}.${zone}`;
    return `h${i}.${zone}`;
  });
  const third = Math.ceil(rules / 3);
  return compiled({
    destinations: [
      destination('a', ['exact.a.example', '*.star.a.example'], [list(lines.slice(0, third).join('\n'))]),
      destination('b', ['n{0..199}.family.a.example'], [list(lines.slice(third, 2 * third).join('\n'))]),
      destination('c', ['**.glob.a.example'], [list(lines.slice(2 * third).join('\n'))]),
    ],
    identities: [
      identity('one', { allow: entries('=a', '=b', '=c') }),
      identity('two', { allow: entries('=b') }),
    ],
  });
}

const QUESTIONS = [
  'exact.a.example',
  'x.star.a.example',
  'n150.family.a.example',
  'a.b.c.d.glob.a.example',
  'n200.family.a.example',
  'a.example',
  'not.there.a.example',
  'evil.test',
  'some.thing.quite.different.evil.test',
].map(subject);

const decision = new Decision();

function decideAll(snapshot: Snapshot, view: View, rounds: number): number {
  let sum = 0;
  for (let round = 0; round < rounds; round++) {
    for (const each of QUESTIONS) {
      decide(snapshot, view, each, round % 5 === 0 ? 16 : 1, round % 2 === 0, NOW, decision);
      sum += decision.verdict + closestAncestor(snapshot, view, decision, false);
    }
  }
  return sum;
}

/** Nanoseconds a decision, the best of several rounds: the machine has other work. */
function nanoseconds(snapshot: Snapshot): number {
  const { view } = snapshot.identities[0]!;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 15; round++) {
    const start = process.hrtime.bigint();
    decideAll(snapshot, view, 1000);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / (1000 * QUESTIONS.length));
  }
  return best;
}

t.test('a decision does not slow down with the number of rules', async (t) => {
  const small = policyOf(1000);
  const large = policyOf(100_000);
  t.ok(large.rules.count > 90 * small.rules.count);
  t.equal(
    decideAll(small, small.identities[0]!.view, 10),
    decideAll(large, large.identities[0]!.view, 10),
    'they mean the same',
  );
  const few = nanoseconds(small);
  const many = nanoseconds(large);
  t.comment(
    `${few.toFixed(0)} ns with ${small.rules.count} rules, ${many.toFixed(0)} ns with ${large.rules.count}`,
  );
  t.ok(many < 3 * few + 100, `${(many / few).toFixed(2)} times`);
});

t.test('a decision does not slow down with the number of identities and sets', async (t) => {
  const crowd = (identities: number): Snapshot =>
    compiled({
      destinations: [
        destination('a', [
          'exact.a.example',
          '*.star.a.example',
          'n{0..199}.family.a.example',
          '**.glob.a.example',
        ]),
      ],
      identities: Array.from({ length: identities }, (_, i) =>
        // Everyone has rules of their own on the same names, in a set of their own.
        identity(`i${i}`, { allow: entries('=a', 'exact.a.example', '**.a.example', `own${i}.a.example`) }),
      ),
    });
  const few = nanoseconds(crowd(2));
  const many = nanoseconds(crowd(3000));
  t.comment(`${few.toFixed(0)} ns with 2 identities, ${many.toFixed(0)} ns with 3000`);
  t.ok(many < 3 * few + 100, `${(many / few).toFixed(2)} times`);
});

/**
 * Octets that V8 has handed out while `work` ran, for each of its `times`; collected or not. An object has 12 at least. The
 * compiler makes some too, in its own time: so the least of several runs counts, which what `work` itself makes is in.
 */
function allocated(work: () => void, times: number): number {
  // Twice first, so that it is compiled.
  work();
  work();
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5; run++) {
    const before = getHeapStatistics().total_allocated_bytes;
    work();
    least = Math.min(least, (getHeapStatistics().total_allocated_bytes - before) / times);
  }
  return least;
}

t.test('what is measured is seen', async (t) => {
  const kept: unknown[] = [];
  const perRound = allocated(() => {
    for (let i = 0; i < 100_000; i++) kept[i & 7] = { i };
  }, 100_000);
  t.ok(perRound > 8, `${perRound} octets an object`);
});

t.test('a decision allocates nothing of its own', async (t) => {
  const snapshot = policyOf(1000);
  const { view } = snapshot.identities[0]!;
  const rounds = Math.ceil(1_000_000 / QUESTIONS.length);
  const perDecision = allocated(() => decideAll(snapshot, view, rounds), rounds * QUESTIONS.length);
  t.comment(`${perDecision.toFixed(3)} octets a decision, its closest ancestor with it`);
  // A whole second is no object for V8; a fraction of one would be boxed at each call, in 12 or 16 octets.
  t.ok(perDecision < 4, `${perDecision} octets a decision`);
});

t.test('reading a query and finding its identity allocate nothing', async (t) => {
  const octets = message({
    questions: [question('some.name.a.example')],
    additional: [opt({ dnssecOk: true })],
  });
  const snapshot = policyOf(100);
  const query = new Query();
  const client = ipAddress(4, 0x0100_0000);
  let faults = 0;
  const work = (): void => {
    for (let i = 0; i < 300_000; i++) {
      if (readQuery(octets, octets.length, query) !== null) faults++;
      faults += findAddress(snapshot.addresses, client) + 1;
    }
  };
  const perQuery = allocated(work, 300_000);
  t.equal(faults, 0);
  t.comment(`${perQuery.toFixed(3)} octets a query`);
  t.ok(perQuery < 4, `${perQuery} octets a query`);
});

t.test('the dearest question there is stays cheap', async (t) => {
  // Bounded wildcards look at every label in front, of the question and of each of its ancestors; the last one fails.
  const deep = Uint8Array.from([
    ...Buffer.from('\x01x'.repeat(93)),
    63,
    ...Buffer.alloc(63, 'y'),
    ...wire('a.b'),
  ]);
  const labels = new Uint8Array(128);
  const dear: Subject = { name: deep, labels, labelCount: labelOffsets(deep, labels) };
  const bounded = Array.from({ length: 20 }, (_, i) => rule('**.a.b', { maxLabelLength: 1 + i }));
  const snapshot = compiled({ identities: [identity('one', { allow: bounded })] });
  const { view } = snapshot.identities[0]!;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    const start = process.hrtime.bigint();
    decide(snapshot, view, dear, 1, true, NOW, decision);
    if (closestAncestor(snapshot, view, decision, false) !== 2) t.fail('the closest ancestor is a.b');
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e6);
  }
  t.comment(`${best.toFixed(3)} ms`);
  t.ok(best < 5, `${best.toFixed(3)} ms`);
});
