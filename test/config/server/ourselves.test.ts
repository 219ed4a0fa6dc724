import t from 'tap';
import { isOurs, machineAddresses } from '../../../src/config/server/ourselves.ts';

const machine = ['127.0.0.1', '10.0.0.5', '::1', '2001:db8::5', 'fe80::1'];

function asksUs(listener: string, host: string, port = 53): boolean {
  return isOurs([{ host: listener, port: 53 }], host, port, machine);
}

t.test('a question to one of our own listeners is known, however the address is written', async (t) => {
  for (const [listener, host] of [
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '::ffff:127.0.0.1'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['2001:db8::5', '2001:DB8:0::5'],
    ['0.0.0.0', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.53'],
    ['0.0.0.0', '10.0.0.5'],
    ['0.0.0.0', '::ffff:10.0.0.5'],
    ['::', '::1'],
    ['::', '2001:db8::5'],
    ['::', 'fe80::1%eth0'],
  ] as const) {
    t.ok(asksUs(listener, host), `${listener} is asked at ${host}`);
  }
});

t.test('others are not', async (t) => {
  for (const [listener, host] of [
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.1', '10.0.0.5'],
    ['0.0.0.0', '10.0.0.6'],
    ['0.0.0.0', '::1'],
    ['::', '127.0.0.1'],
    ['::', '2001:db8::6'],
    ['::1', 'resolver.example'],
  ] as const) {
    t.notOk(asksUs(listener, host), `${listener} is not asked at ${host}`);
  }
  t.notOk(asksUs('127.0.0.1', '127.0.0.1', 54), 'another port');
});

t.test('this machine has loopback, and no zones in its addresses', async (t) => {
  const found = machineAddresses();
  t.ok(found.includes('127.0.0.1'));
  t.notOk(found.some((address) => address.includes('%')));
});
