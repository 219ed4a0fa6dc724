// A program that dials for a test from inside a network namespace: JSON lines on a unix socket, which knows no namespace.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect, createServer } from 'node:net';

const held = new Map();
const resolvers = new Map();

const deeds = {
  /** Connects, and ends or holds the connection. */
  tcp: ({ host, port, from, hold }) =>
    new Promise((resolve) => {
      const began = performance.now();
      const socket = connect({ host, port, localAddress: from });
      const end = (result) => {
        clearTimeout(timer);
        resolve({ result, ms: performance.now() - began });
      };
      const timer = setTimeout(() => {
        socket.destroy();
        end('silence');
      }, 3000);
      socket.on('error', ({ code }) => {
        if (hold !== undefined) held.delete(hold);
        end(code);
      });
      socket.on('connect', () => {
        if (hold === undefined) socket.resetAndDestroy();
        else held.set(hold, socket);
        end('ok');
      });
    }),
  /** Sends an octet on a connection that is held, and waits for it to come back. */
  echo: ({ hold }) =>
    new Promise((resolve) => {
      const socket = held.get(hold);
      if (socket === undefined || socket.destroyed) return resolve({ result: 'gone' });
      const timer = setTimeout(() => resolve({ result: 'silence' }), 2000);
      const end = (result) => {
        clearTimeout(timer);
        resolve({ result });
      };
      socket.once('data', () => end('ok'));
      socket.once('close', () => end('gone'));
      socket.write('x');
    }),
  /** Sends on a connection that is held, whatever comes on it, and says whether it is taken for so long. */
  pushed: async ({ hold, ms }) => {
    const socket = held.get(hold);
    const end = performance.now() + ms;
    let got = 0;
    const count = () => got++;
    socket?.on('data', count);
    while (performance.now() < end && socket !== undefined && !socket.destroyed) {
      socket.write('y');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    socket?.off('data', count);
    return { result: socket === undefined || socket.destroyed ? 'gone' : got > 0 ? 'ok' : 'silence' };
  },
  /** Connects as programs do that have addresses of both families. */
  happy: ({ host, other, port }) =>
    new Promise((resolve) => {
      const began = performance.now();
      const lookup = (_, __, done) =>
        done(null, [
          { address: host, family: 6 },
          { address: other, family: 4 },
        ]);
      const socket = connect({ host: 'dual.lab.example', port, lookup, autoSelectFamily: true });
      const end = (result) => {
        resolve({ result, ms: performance.now() - began });
        socket.destroy();
      };
      socket.on('error', ({ code }) => end(code));
      socket.on('connect', () => end('ok'));
    }),
  /** Sends datagrams to ever other places, as fast as it goes. */
  flood: ({ from, ms }) =>
    new Promise((resolve) => {
      const socket = createSocket('udp4');
      const end = performance.now() + ms;
      let i = 0;
      const more = () => {
        for (let n = 0; n < 200; n++, i++)
          socket.send('x', 1 + (i % 60_000), `203.0.${200 + (i & 7)}.${(i >> 3) & 255}`);
        if (performance.now() < end) setImmediate(more);
        else socket.close(() => resolve({ result: 'ok' }));
      };
      socket.on('error', () => {});
      socket.bind(0, from, more);
    }),
  ping: ({ host, from }) =>
    new Promise((resolve) => {
      const child = spawn('ping', ['-c', '1', '-W', '1', '-I', from, host]);
      child.on('error', ({ code }) => resolve({ result: code }));
      child.on('close', (code) => resolve({ result: code === 0 ? 'ok' : 'refused' }));
    }),
  udp: ({ host, port, from, size = 1 }) =>
    new Promise((resolve) => {
      const began = performance.now();
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      const end = (result) => {
        clearTimeout(timer);
        socket.close();
        resolve({ result, ms: performance.now() - began });
      };
      const timer = setTimeout(() => end('silence'), 500);
      socket.once('error', ({ code }) => end(code));
      socket.once('message', () => end('ok'));
      socket.bind(0, from, () => socket.connect(port, host, () => socket.send(Buffer.alloc(size, 'x'))));
    }),
  /** Sends a text again and again from one port, for so long, and says whether anything came back meanwhile. */
  datagrams: ({ host, port, from, hold, text, ms }) =>
    new Promise((resolve) => {
      const open = (then) => {
        const known = held.get(hold);
        if (known !== undefined) return then(known);
        const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
        held.set(hold, socket);
        socket.on('error', () => {});
        socket.bind(0, from, () => then(socket));
      };
      open((socket) => {
        let got = 0;
        const count = () => got++;
        socket.on('message', count);
        const timer = setInterval(() => socket.send(text, port, host), 5);
        setTimeout(() => {
          clearInterval(timer);
          socket.off('message', count);
          resolve({ result: got > 0 ? 'ok' : 'silence' });
        }, ms);
      });
    }),
  dns: async ({ name, type = 'A', server, from = '' }) => {
    const key = `${server} ${from}`;
    let resolver = resolvers.get(key);
    if (resolver === undefined) {
      resolver = new Resolver({ timeout: 3000, tries: 5 });
      resolver.setServers([server]);
      if (from !== '') resolver.setLocalAddress(from);
      resolvers.set(key, resolver);
    }
    const began = performance.now();
    try {
      return { result: 'ok', addresses: await resolver.resolve(name, type), ms: performance.now() - began };
    } catch ({ code }) {
      return { result: code, addresses: [], ms: performance.now() - began };
    }
  },
  /** Resolves, and connects in the instant after the answer. */
  both: async ({ port, ...question }) => {
    const answer = await deeds.dns(question);
    const [host] = answer.addresses;
    if (host === undefined) return answer;
    const dialled = await deeds.tcp({ host, port, from: question.from });
    return { result: dialled.result, host, ms: dialled.ms, dns: answer.ms };
  },
};

createServer((control) => {
  let rest = '';
  control.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const { id, deed, ...what } = JSON.parse(line);
      deeds[deed](what).then((result) => control.write(`${JSON.stringify({ id, ...result })}\n`));
    }
  });
}).listen(process.argv[2], () => console.log('dialling'));
