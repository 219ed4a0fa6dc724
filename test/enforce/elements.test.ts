import t from 'tap';
import { SetElements } from '../../src/enforce/kernel/elements.ts';
import type {
  KernelFault,
  NetfilterExchange,
  TransactionPart,
} from '../../src/enforce/kernel/netlink-exchange.ts';

const NAMES: Readonly<Record<number, string>> = { 12: 'add', 14: 'delete', 30: 'destroy' };
const KEY = Buffer.alloc(16);

/** What transactions are sent to a kernel, which answers the first of them with `faults`. */
function sent(refreshes: boolean, destroys: boolean, ttl: number | null, faults: KernelFault[] = []): string {
  const transactions: string[] = [];
  const exchange = {
    commit(parts: readonly TransactionPart[]): KernelFault[] {
      transactions.push(parts.map(({ message }) => NAMES[message]).join(' '));
      return faults.splice(0);
    },
  } as unknown as NetfilterExchange;
  const elements = new SetElements(exchange, 'namegate', { refreshes, destroys });
  const left = elements.commit([{ set: 'grants4', key: KEY, ttl }]);
  return `${transactions.join('; ')}${left.length === 0 ? '' : ` errno ${left[0]!.errno}`}`;
}

t.test('an element gets another end in one transaction, whatever the kernel can', async (t) => {
  t.equal(sent(true, true, 1_000), 'add');
  t.equal(sent(true, true, null), 'destroy');
  t.equal(sent(false, true, 1_000), 'destroy add');
  t.equal(sent(true, false, 1_000), 'add');
  t.equal(sent(true, false, null), 'delete');
  t.equal(sent(false, false, 1_000), 'delete add');
});

t.test('what is not there any more is no fault', async (t) => {
  const none = (): KernelFault[] => [{ errno: 2, message: 0 }];
  t.equal(sent(false, false, 1_000, none()), 'delete add; add');
  t.equal(sent(false, false, null, none()), 'delete');
  t.equal(sent(true, false, 1_000, none()), 'add errno 2', 'but there must be a set');
  t.equal(sent(false, false, 1_000, [{ errno: 28, message: 1 }]), 'delete add errno 28');
});
