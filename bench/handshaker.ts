/**
 * A client that opens TLS connections one after the other, each with a full handshake and its certificate. It asks one
 * question on each and closes it. A program of its own, so that it has a core of its own:
 *
 *     node bench/handshaker.ts PORT SECONDS CERTIFICATE KEY NAME
 *
 * prints {"latencies": […], "codes": {…}}: milliseconds from the SYN to the answer, ascending, and what was answered how often.
 * TLS 1.3 with X25519, which every peer has. The server's certificate is not checked: that is the client's work, and not what is measured.
 */
import { readFileSync } from 'node:fs';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { printHelp } from './help.ts';
import { codeOf, question } from './messages.ts';

const PATIENCE = 2000;

interface Answered {
  readonly milliseconds: number;
  readonly code: string;
}

/** One connection. Rejects where it fails or has no answer in time. */
function once(port: number, secureContext: SecureContext, query: Buffer): Promise<Answered> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, secureContext, rejectUnauthorized: false };
    const socket = connect(options);
    const received: Buffer[] = [];
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error('no answer')));
    socket.once('secureConnect', () => {
      const { name } = socket.getEphemeralKeyInfo() as { name?: string };
      if (name !== 'X25519') socket.destroy(new Error(`the keys were agreed on by ${name}`));
      else if (socket.isSessionReused()) socket.destroy(new Error('the session was resumed'));
      else socket.write(query);
    });
    socket.on('data', (octets: Buffer) => {
      received.push(octets);
      const frame = Buffer.concat(received);
      if (!isWhole(frame)) return;
      resolve({ milliseconds: performance.now() - started, code: codeOf(frame.subarray(2)) });
      socket.end();
    });
    socket.once('end', () => reject(new Error('the server closed the connection')));
    socket.once('error', reject);
  });
}

/** Whether a message is there behind its length (RFC 7858 §3.3). */
function isWhole(octets: Buffer): boolean {
  return octets.length >= 2 && octets.length >= 2 + octets.readUInt16BE();
}

async function main([port = '', seconds = '', certificate = '', key = '', name = '']: readonly string[]) {
  const context = createSecureContext({
    cert: readFileSync(certificate),
    key: readFileSync(key),
    minVersion: 'TLSv1.3',
    ecdhCurve: 'X25519',
  });
  const message = question(name);
  const query = Buffer.concat([Buffer.of(message.length >>> 8, message.length & 0xff), message]);
  const found: number[] = [];
  const codes: Record<string, number> = {};
  const end = performance.now() + Number(seconds) * 1000;
  while (performance.now() < end) {
    const { milliseconds, code } = await once(Number(port), context, query);
    found.push(milliseconds);
    codes[code] = (codes[code] ?? 0) + 1;
  }
  const latencies = found.sort((a, b) => a - b).map((ms) => Number(ms.toFixed(5)));
  process.stdout.write(JSON.stringify({ latencies, codes }));
}

if (import.meta.main && !printHelp(import.meta.url)) await main(process.argv.slice(2));
