import t from 'tap';
import { keptFromReturning, MOST_FLOWS } from '../../src/enforce/cut-flows.ts';
import type { NamegateAt } from '../../src/enforce/table-skeleton.ts';

/** An element of `cut4`: 192.0.2.`client` from a port of its own to 203.0.113.`other`, port `to`. */
function flow(client: number, other: number, to: number, from = 1): Buffer {
  const key = Buffer.from([192, 0, 2, client, 203, 0, 113, other, 0, 0, 0, 0, 0, 0, 0, 0]);
  key.writeUInt16BE(from, 8);
  key.writeUInt16BE(to, 12);
  return key;
}

const LISTENERS: readonly NamegateAt[] = [
  { host: '203.0.113.53', family: 4, l4: 'udp', port: 53 },
  { host: '203.0.113.54', family: 4, l4: 'tcp', port: 53 },
  { host: '2001:db8::1', family: 6, l4: 'udp', port: 53 },
  { host: null, family: null, l4: 'udp', port: 5353 },
];

t.test('what was asked of namegate may come back, and nothing else', async (t) => {
  const flows = [flow(1, 53, 53), flow(1, 53, 54), flow(1, 54, 53), flow(1, 9, 53), flow(1, 9, 5353)];
  t.same(keptFromReturning(flows, 4, LISTENERS), { kept: flows.slice(1), over: 0 });
  const six = (last: number): Buffer => {
    const other = [0x20, 1, 0x0d, 0xb8, ...Array<number>(11).fill(0), last];
    return Buffer.from([...Array<number>(16).fill(7), ...other, 0, 9, 0, 0, 0, 53, 0, 0]);
  };
  t.same(keptFromReturning([six(1), six(2)], 6, LISTENERS), { kept: [six(2)], over: 0 });
});

t.test('one client has its share of the set, and takes nothing from others', async (t) => {
  const many = Array.from({ length: MOST_FLOWS + 5 }, (_, i) => flow(1, 9, 443, i));
  const { kept, over } = keptFromReturning([...many, flow(2, 9, 443)], 4, LISTENERS);
  t.equal(over, 5);
  t.equal(kept.length, MOST_FLOWS + 1);
  t.same(kept.at(-1), flow(2, 9, 443));
});
