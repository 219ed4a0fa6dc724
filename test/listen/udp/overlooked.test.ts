import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { ListenNotice } from '../../../src/listen/listener.ts';
import { batchedUdp } from '../../../src/listen/udp/udp.ts';
import { loadNative } from '../../../src/socket/linux-native.ts';
import type { Native } from '../../../src/socket/native.ts';
import { Echo, idOf, query } from '../echo.ts';

/** What a batched listener does when libuv has not said that its socket can be read: see `BatchedUdp`. */

const native = loadNative();
const skip = typeof native === 'string' && !process.env['CI'] ? `not to be had here: ${native}` : false;

/** The real calls, but for libuv's wake, which goes through `wake`, and the look at the socket, which goes through `look`. */
function calls(wake: (real: () => void) => void, look: (readable: boolean) => boolean): Native {
  const real = native as Native;
  return new Proxy(real, {
    get(_, key: keyof Native) {
      if (key === 'poll') return (fd: number, woken: () => void) => real.poll(fd, () => wake(woken));
      if (key === 'isReadable') return (fd: number) => look(real.isReadable(fd));
      return real[key].bind(real);
    },
  });
}

async function served(
  t: Test,
  made: Native,
): Promise<{ notices: ListenNotice[]; ask: () => Promise<number> }> {
  const notices: ListenNotice[] = [];
  const notice = (told: ListenNotice): void => void notices.push(told);
  const listener = batchedUdp(made, { host: '127.0.0.1', port: 0, answerer: new Echo(), notice });
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  t.teardown(() => listener.close(0));
  await listener.start();
  const ask = async (): Promise<number> => {
    socket.send(query(7), listener.address.port, '127.0.0.1');
    const [reply] = (await once(socket, 'message')) as [Buffer];
    return idOf(reply);
  };
  return { notices, ask };
}

t.test('a wake that is lost: the socket is read all the same, and it is told', { skip }, async (t) => {
  // libuv goes on saying that the socket can be read; nobody listens.
  const { notices, ask } = await served(
    t,
    calls(
      () => {},
      (readable) => readable,
    ),
  );
  t.equal(await ask(), 7);
  t.match(notices, [{ kind: 'socket', count: 1, error: { message: /nothing woke us/ } }]);
});

t.test('a datagram between the poll and the look is no trouble', { skip }, async (t) => {
  let looks = 0;
  const held: (() => void)[] = [];
  const { notices, ask } = await served(
    t,
    calls(
      (wake) => {
        // The first wake comes after the look that saw the datagram, as where it arrived in between.
        if (looks > 0) wake();
        else held.push(wake);
      },
      (readable) => {
        if (readable && looks++ === 0) setImmediate(() => held.shift()?.());
        return readable;
      },
    ),
  );
  t.equal(await ask(), 7);
  t.equal(looks, 1, 'it was seen once, and then was not there any more');
  t.same(notices, []);
});
