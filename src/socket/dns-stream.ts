import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { FrameReader } from '../wire/framing.ts';
import { HEADER_SIZE, messageId, writeUint16 } from '../wire/header.ts';
import { randomUint16 } from './random.ts';
import { type Match, matchReply } from './reply-match.ts';

/** Who has a connection. None of these is called from within a call to it, but for `streamMessage`. */
export interface DnsStreamOwner {
  /** The handshake is done, and the server's certificate counts: questions may be written. */
  streamOpened(): void;
  /** Octets have come. The owner gives them to `push`. */
  streamRead(chunk: Buffer): void;
  /** A whole message, good during the call, from within `push`. The owner gives it to `settle`, now or later. */
  streamMessage(message: Buffer): void;
  /** It is at its end: the system's code or what TLS says, or null where the server closed it. Maybe more than once. */
  streamEnded(fault: string | null): void;
}

/** What goes out under an ID of its own. */
export class StreamQuestion {
  readonly id: number;
  /** With its length prefix. */
  readonly frame: Buffer;
  readonly message: Buffer;
  /** Offset in `message` behind the question. */
  readonly questionEnd: number;
  /** How its reply fits, once that has come. */
  match: Match = 'none';

  /** Copies the octets, which keep their ID. */
  constructor(id: number, octets: Buffer, questionEnd: number) {
    this.id = id;
    this.questionEnd = questionEnd;
    this.frame = Buffer.allocUnsafe(PREFIX + octets.length);
    writeUint16(this.frame, 0, octets.length);
    // Not Buffer.copy: a question is short.
    this.frame.set(octets, PREFIX);
    writeUint16(this.frame, PREFIX, id);
    this.message = this.frame.subarray(PREFIX);
  }
}

/** Why a message answers nothing: it has no header; nobody asked under its ID; another question was asked under it. */
export type Misfit = 'short' | 'unasked' | 'other';

const PREFIX = 2;

/**
 * A client's side of one connection to one server, over TCP or TLS (RFC 7766, RFC 7858): questions are pipelined, each under an
 * ID drawn for it, and answered in any order. How long it is kept, and what becomes of its questions, is the owner's to say.
 */
export class DnsStream<Q extends StreamQuestion> {
  /** Questions without a reply, by ID, the oldest first. */
  readonly questions = new Map<number, Q>();
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #owner: DnsStreamOwner;

  /** The socket has just begun to connect. */
  constructor(socket: Socket, owner: DnsStreamOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.setNoDelay(true);
    socket.on('error', (error: NodeJS.ErrnoException) => owner.streamEnded(error.code ?? error.message));
    socket.on('close', () => owner.streamEnded(null));
    socket.on('end', () => owner.streamEnded(null));
    socket.on('data', (chunk: Buffer) => owner.streamRead(chunk));
    if (socket instanceof TLSSocket) {
      socket.once('secureConnect', () => {
        // Node ends a connection that is not authorized; this is said again here because questions follow.
        if (socket.authorized) owner.streamOpened();
        else owner.streamEnded('ERR_TLS_UNAUTHORIZED');
      });
    } else {
      socket.once('connect', () => owner.streamOpened());
    }
  }

  /** An ID that no question has. There are at most 65,535 questions. */
  freeId(): number {
    let id = randomUint16();
    while (this.questions.has(id)) id = (id + 1) & 0xffff;
    return id;
  }

  add(question: Q): void {
    this.questions.set(question.id, question);
  }

  write(question: Q): void {
    this.#socket.write(question.frame);
  }

  /** Cuts octets into messages. False: the framing is broken, or the connection is closed. */
  push(chunk: Buffer): boolean {
    return this.#reader.push(chunk, this.#message);
  }

  readonly #message = (message: Buffer): void => this.#owner.streamMessage(message);

  /**
   * Takes off the question that the message replies to. A message of another question, or of no header, means that the
   * server cannot be believed on this connection (RFC 5452 §9.1).
   */
  settle(message: Buffer): Q | Misfit {
    if (message.length < HEADER_SIZE) return 'short';
    const question = this.questions.get(messageId(message));
    if (question === undefined) return 'unasked';
    question.match = matchReply(message, question.message, question.questionEnd);
    if (question.match === 'none') return 'other';
    this.questions.delete(question.id);
    return question;
  }

  /** From within `streamMessage`: nothing more is read until `resume`. `push` returns; `rest` are the octets that it left. */
  pause(): void {
    this.#reader.pause();
    this.#socket.pause();
  }

  /** What the last `push` left of the chunk, after `pause`. */
  rest(chunk: Buffer): Buffer {
    return chunk.subarray(this.#reader.taken);
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends it at once. `questions` stay, for the owner to tell those who wait. */
  close(): void {
    this.#reader.close();
    this.#socket.destroy();
  }
}
