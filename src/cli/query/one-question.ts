import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { performance } from 'node:perf_hooks';
import { DnsStream, StreamQuestion } from '../../socket/dns-stream.ts';
import {
  FLAG,
  HEADER_SIZE,
  messageFlags,
  messageId,
  opcodeOf,
  RCODE_MASK,
  sectionCount,
} from '../../wire/header.ts';
import { lowerOctet } from '../../wire/name.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { Target } from './target.ts';

export type Transport = 'udp' | 'tcp';

/** What came of one question. */
export type Exchanged =
  | {
      readonly kind: 'reply';
      readonly octets: Buffer;
      /** From sending to receiving, in milliseconds. */
      readonly elapsed: Milliseconds;
      /** Our own address. */
      readonly local: string;
    }
  | {
      readonly kind: 'failure';
      /** For people. */
      readonly reason: string;
      /** A TCP connection was there before it failed. */
      readonly connected: boolean;
    };

/** Milliseconds after which a question is sent again over UDP. */
const RESEND_MS: Milliseconds = 1000;

/**
 * Sends one query and waits at most `patience` milliseconds for its reply. Whatever else arrives is passed over: the
 * socket takes datagrams of that server alone, and the reply must have our ID and question (RFC 5452 §9.1).
 */
export function exchange(
  query: Buffer,
  target: Target,
  transport: Transport,
  patience: Milliseconds,
): Promise<Exchanged> {
  return transport === 'udp' ? overUdp(query, target, patience) : overTcp(query, target, patience);
}

function overUdp(query: Buffer, { host, port }: Target, patience: Milliseconds): Promise<Exchanged> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    let started: Monotonic = 0;
    let local = '';
    let resend: NodeJS.Timeout | undefined;
    const finish = (outcome: Exchanged): void => {
      clearTimeout(timer);
      clearInterval(resend);
      socket.removeAllListeners();
      // An error may still be on its way to a socket that is closing.
      socket.on('error', () => {});
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => finish(silence(patience, false)), patience);
    socket.on('error', (error) => finish(ended(codeOf(error), false)));
    socket.on('message', (octets) => {
      if (!answers(octets, query)) return;
      finish({ kind: 'reply', octets, elapsed: performance.now() - started, local });
    });
    socket.on('connect', () => {
      local = socket.address().address;
      started = performance.now();
      socket.send(query);
      resend = setInterval(() => socket.send(query), RESEND_MS);
    });
    socket.connect(port, host);
  });
}

function overTcp(query: Buffer, { host, port }: Target, patience: Milliseconds): Promise<Exchanged> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let started: Monotonic = 0;
    let connected = false;
    const finish = (outcome: Exchanged): void => {
      clearTimeout(timer);
      stream.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => finish(silence(patience, connected)), patience);
    const stream = new DnsStream(socket, {
      streamOpened: () => {
        connected = true;
        started = performance.now();
        stream.write(new StreamQuestion(messageId(query), query, questionEnd(query)));
      },
      // Once the reply is there this says nothing any more.
      streamRead: (chunk) => {
        if (!stream.push(chunk)) finish(ended(null, connected));
      },
      streamMessage: (message) => {
        if (!answers(message, query)) return;
        const local = socket.localAddress ?? '';
        finish({
          kind: 'reply',
          octets: Buffer.from(message),
          elapsed: performance.now() - started,
          local,
        });
      },
      streamEnded: (fault) => finish(ended(fault, connected)),
    });
  });
}

/** Whether a TCP connection comes about within `patience` milliseconds: null, or why not. It is closed at once. */
export function tryConnect({ host, port }: Target, patience: Milliseconds): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (reason: string | null): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.destroy();
      resolve(reason);
    };
    const timer = setTimeout(() => finish(`no answer within ${patience / 1000} s`), patience);
    socket.on('error', (error) => finish(reasonOf(codeOf(error))));
    socket.on('connect', () => finish(null));
  });
}

/**
 * Whether `octets` are a reply to `query`: ID, opcode and question are its own, in any case. A server that could not
 * read the question may leave it out of its error.
 */
export function answers(octets: Uint8Array, query: Uint8Array): boolean {
  if (octets.length < HEADER_SIZE || messageId(octets) !== messageId(query)) return false;
  const flags = messageFlags(octets);
  if ((flags & FLAG.QR) === 0 || opcodeOf(flags) !== opcodeOf(messageFlags(query))) return false;
  if (sectionCount(octets, 0) === 0) return (flags & RCODE_MASK) !== 0;
  const end = questionEnd(query);
  if (sectionCount(octets, 0) !== 1 || octets.length < end) return false;
  for (let at = HEADER_SIZE; at < end; at++) {
    const same = at < end - 4 ? lowerOctet(octets[at]!) === lowerOctet(query[at]!) : octets[at] === query[at];
    if (!same) return false;
  }
  return true;
}

function questionEnd(query: Uint8Array): number {
  let at = HEADER_SIZE;
  while (query[at] !== 0) at += 1 + query[at]!;
  return at + 5;
}

function silence(patience: Milliseconds, connected: boolean): Exchanged {
  return { kind: 'failure', reason: `no answer within ${patience / 1000} s`, connected };
}

/** `fault`: the system's code, or null where the server closed the connection. */
function ended(fault: string | null, connected: boolean): Exchanged {
  const reason = fault === null ? 'the connection was closed without an answer' : reasonOf(fault);
  return { kind: 'failure', reason, connected };
}

function codeOf(error: Error & { readonly code?: string }): string {
  return error.code ?? error.message;
}

function reasonOf(code: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused: nothing listens there, or a firewall rejects';
    case 'ECONNRESET':
      return 'the connection was reset';
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'EADDRNOTAVAIL':
      return 'there is no route to it';
    case 'EACCES':
    case 'EPERM':
      return 'forbidden by a firewall of this machine';
    case 'ETIMEDOUT':
      return 'no answer';
    default:
      return code;
  }
}
