import t from 'tap';
import { exposition } from '../../src/report/exposition.ts';
import { QueryCounts } from '../../src/report/query-counts.ts';
import { EXIT, EXITS, type Exit } from '../../src/resolve/exit.ts';
import type { Client } from '../../src/resolve/ports.ts';
import { COURSE, type CourseKind, Turn } from '../../src/resolve/story/turn.ts';
import { RCODE, type Rcode } from '../../src/wire/iana.ts';
import { inForceOf } from './in-force.ts';

/** Each query is counted once: by how it ended, by whose it was, and by how long it took. */

function rig() {
  const counts = new QueryCounts();
  const clock = { now: 1000, reads: 0 };
  const inForce = inForceOf(['one']);
  const turn = new Turn(inForce);
  const end = (
    exit: Exit,
    rcode: Rcode | null,
    { transport = 'udp', course = COURSE.DENY as CourseKind, verdict = 0, since = -1, audited = false } = {},
  ): void => {
    turn.readClock(clock.now, 0);
    turn.begin(inForce, { transport } as Client, Buffer.alloc(0));
    turn.asker.standing = inForce.standings.named('one');
    turn.course.kind = course;
    turn.course.isAudited = audited;
    turn.decision.verdict = verdict as typeof turn.decision.verdict;
    turn.end.exit = exit;
    turn.end.rcode = rcode;
    if (since >= 0) {
      turn.fetched.round = 1;
      turn.fetched.since = since;
    }
    counts.ended(turn);
  };
  const left = (began = clock.now): void =>
    counts.left(began, () => {
      clock.reads++;
      return clock.now;
    });
  const lines = (name: string): string[] =>
    [...exposition([counts])]
      .join('')
      .split('\n')
      .filter((line) => line.startsWith(name));
  const { underway } = inForce.standings.named('one');
  return { end, left, lines, clock, underway, counts };
}

t.test('by transport, verdict and RCODE', async (t) => {
  const { end, lines } = rig();
  end(EXIT.deny, RCODE.NXDOMAIN);
  end(EXIT.deny, RCODE.NXDOMAIN);
  end(EXIT.hit, RCODE.NOERROR, { transport: 'tls', course: COURSE.FETCH, verdict: 2 });
  end(EXIT.local, RCODE.NOERROR, { transport: 'tcp', course: COURSE.LOCAL, verdict: 3 });
  end(EXIT.empty, RCODE.NOERROR, { course: COURSE.EMPTY, verdict: 1 });
  end(EXIT.contained, RCODE.NXDOMAIN, { course: COURSE.FETCH, verdict: 2 });
  end(EXIT.badvers, RCODE.BADVERS, { course: COURSE.NONE, verdict: 2 });
  end(EXIT.drop, null, { course: COURSE.NONE });
  t.same(lines('namegate_queries_total'), [
    'namegate_queries_total{transport="udp",verdict="deny",rcode="NXDOMAIN"} 2',
    'namegate_queries_total{transport="udp",verdict="empty",rcode="NOERROR"} 1',
    'namegate_queries_total{transport="udp",verdict="contain",rcode="NXDOMAIN"} 1',
    'namegate_queries_total{transport="udp",verdict="none",rcode="BADVERS"} 1',
    'namegate_queries_total{transport="udp",verdict="none",rcode="none"} 1',
    'namegate_queries_total{transport="tcp",verdict="local",rcode="NOERROR"} 1',
    'namegate_queries_total{transport="tls",verdict="allow",rcode="NOERROR"} 1',
  ]);
  t.equal(lines('namegate_query_exits_total').length, EXITS.length, 'exits that nobody took are there too');
});

t.test('by identity', async (t) => {
  const { end, underway } = rig();
  end(EXIT.deny, RCODE.NXDOMAIN);
  end(EXIT.deny_unproven, RCODE.NXDOMAIN);
  end(EXIT.contained, RCODE.NXDOMAIN);
  end(EXIT.limited, RCODE.SERVFAIL);
  end(EXIT.hit, RCODE.NOERROR, { audited: true });
  const { queries, denied, contained, limited, audited } = underway;
  t.same(
    { queries, denied, contained, limited, audited },
    { queries: 5, denied: 1, contained: 1, limited: 1, audited: 1 },
    'what a forged source was denied is held against nobody',
  );
});

t.test('the time of each exit', async (t) => {
  const times: Record<string, string> = {};
  for (const [name, exit] of Object.entries(EXIT)) {
    for (const since of [-1, 0]) {
      const { end, left, lines } = rig();
      end(exit, RCODE.NOERROR, { since });
      left();
      const [counted = ''] = lines('namegate_query_duration_seconds_count').filter(
        (line) => !line.endsWith(' 0'),
      );
      const kind = /kind="(.*)"/.exec(counted)?.[1] ?? 'none';
      if (since < 0) times[name] = kind;
      else t.equal(kind, 'forwarded', `${name} after a wait`);
    }
  }
  t.same(times, {
    drop: 'none',
    formerr: 'none',
    notimp: 'none',
    badvers: 'none',
    refused: 'none',
    deny: 'denied',
    deny_unproven: 'denied',
    empty: 'denied',
    local: 'local',
    hit: 'hit',
    stale: 'hit',
    forwarded: 'none',
    servfail: 'hit',
    withheld: 'hit',
    limited: 'none',
    unproven: 'none',
    contained: 'denied',
    deny_expected: 'denied',
    ungranted: 'hit',
  });
});

t.test('the clock is read for one that comes alone, and for eight together', async (t) => {
  const { end, left, lines, clock } = rig();
  const hit = (): void => end(EXIT.hit, RCODE.NOERROR);
  hit();
  clock.now += 1;
  left(1000);
  t.equal(clock.reads, 1);
  for (let i = 0; i < 7; i++) {
    hit();
    left();
  }
  t.equal(clock.reads, 1, 'seven wait for an eighth');
  hit();
  const began = clock.now;
  clock.now += 3;
  left(began);
  t.equal(clock.reads, 2);
  const counted = (le: string): string | undefined =>
    lines('namegate_query_duration_seconds_bucket{kind="hit"').find((line) => line.includes(`le="${le}"`));
  t.match(counted('0.001024'), / 1$/);
  t.match(counted('0.004096'), / 9$/, 'all eight took what the eighth took');
  left(clock.now + 200);
  t.equal(clock.reads, 2, 'none without a query');
  hit();
  t.match(counted('+Inf'), / 10$/, 'a scrape waits for no company');
});

t.test('a query that waited is timed from when it came', async (t) => {
  const { end, lines } = rig();
  end(EXIT.forwarded, RCODE.NOERROR, { since: 990 });
  t.match(
    lines('namegate_query_duration_seconds_sum').find((line) => line.includes('forwarded')),
    / 0\.01$/,
  );
});
