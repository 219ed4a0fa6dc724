import { connect, type Socket } from 'node:net';

/**
 * A crowd of TCP connections, in a process of its own so that it does not disturb what takes the times. Arguments: port,
 * connections, addresses (the crowd's are 127.1.0.1 and up), `idle` or `slow`. `slow` sends one octet a millisecond in
 * all, round and round, of a message that is longer than what it sends. Writes a line of JSON every 50 ms.
 */

const [port = 0, count = 0, addresses = 1] = process.argv.slice(2, 5).map(Number);
const slow = process.argv[5] === 'slow';
/** Dialled at once: the kernel's queue of connections to be accepted is a thousand and some. */
const STEP = 200;

const sockets: Socket[] = [];
let connected = 0;
let ended = 0;

function dial(): void {
  for (let i = 0; i < STEP && sockets.length < count; i++) {
    const localAddress = `127.1.0.${1 + (sockets.length % addresses)}`;
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    socket.on('connect', () => connected++);
    socket.on('error', () => {});
    socket.on('close', () => ended++);
    socket.resume();
    sockets.push(socket);
  }
  if (sockets.length < count) setTimeout(dial, 5);
  else if (slow) drip();
}

/** A frame of 255 octets, of which the first are given. */
function drip(): void {
  let at = 0;
  setInterval(() => {
    const socket = sockets[at % count];
    if (socket?.writable) socket.write(Buffer.from([at < count ? 0 : 255]));
    at++;
  }, 1);
}

dial();
setInterval(() => process.stdout.write(`${JSON.stringify({ connected, ended })}\n`), 50);
// Ends with the test, whatever becomes of that.
process.stdin.on('end', () => process.exit()).resume();
