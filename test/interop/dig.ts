import { type Output, run, type StartOptions } from './process.ts';

/** What `dig` or `kdig` said of one question. */
export interface DigAnswer {
  /** As written, `NOERROR` and so on; empty where no response came. */
  readonly status: string;
  /** `qr aa rd ra ad cd tc`, those that are set. */
  readonly flags: readonly string[];
  readonly opcode: string;
  /** Records as `owner TTL class type data`, blanks folded. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  /** Whether the response had OPT. */
  readonly edns: boolean;
  /** INFO-CODE and EXTRA-TEXT. */
  readonly ede: readonly { readonly code: number; readonly text: string }[];
  /** It came over TCP or TLS. */
  readonly stream: boolean;
  /** Octets. */
  readonly size: number;
  /** The whole output. */
  readonly text: string;
}

interface Target {
  readonly host: string;
  readonly port: number;
}

/** Asks once, without retries; `flags` are dig's own (`+dnssec`, `-b 127.0.0.2`). */
export async function dig(server: Target, question: string, options: StartOptions = {}): Promise<DigAnswer> {
  const flags = ['+tries=1', '+timeout=6', '+nocookie', '+multiline', '+nomultiline', '+comments', '+stats'];
  return read(
    await run(['dig', `@${server.host}`, '-p', `${server.port}`, ...flags, ...words(question)], options),
  );
}

export async function kdig(server: Target, question: string, options: StartOptions = {}): Promise<DigAnswer> {
  const flags = ['+retry=0', '+timeout=6'];
  return read(
    await run(['kdig', `@${server.host}`, '-p', `${server.port}`, ...flags, ...words(question)], options),
  );
}

/** The data of the answer's records of one type, sorted. */
export function data(answer: DigAnswer, type: string): string[] {
  return answer.answer
    .map((record) => record.split(' '))
    .filter((fields) => fields[3] === type)
    .map((fields) => fields.slice(4).join(' '))
    .sort();
}

/** The TTLs of the answer's records. */
export function ttls(answer: DigAnswer): number[] {
  return answer.answer.map((record) => Number(record.split(' ')[1]));
}

function words(question: string): string[] {
  return question.split(' ').filter((word) => word !== '');
}

function read({ stdout, stderr }: Output): DigAnswer {
  const text = stdout + stderr;
  const section = (name: string): string[] => {
    const found = new RegExp(`;; ${name} SECTION:\\n([\\s\\S]*?)(?:\\n\\n|\\n;;|$)`).exec(stdout);
    return (found?.[1] ?? '')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(';'))
      .map((line) => line.replace(/\s+/g, ' ').trim());
  };
  return {
    status: /status: ([A-Z0-9]+)/.exec(text)?.[1] ?? '',
    flags: (/;; flags:? ([a-z ]*);/i.exec(text)?.[1] ?? '').split(' ').filter((flag) => flag !== ''),
    opcode: /opcode: ([A-Z0-9]+)/.exec(text)?.[1] ?? '',
    answer: section('ANSWER'),
    authority: section('AUTHORITY'),
    additional: section('ADDITIONAL'),
    edns: /^; EDNS:|^;; Version: \d/m.test(text),
    ede: [...text.matchAll(/^;;? ?EDE: (\d+)[^:\n]*(?:: (.*))?$/gm)].map(([, code, said]) => ({
      code: Number(code),
      text: (said ?? '').replace(/^\(|\)$|^'|'$|^"|"$/g, ''),
    })),
    stream: /\((?:TCP|TLS)\)/.test(text),
    size: Number(/(?:MSG SIZE {2}rcvd: |Received )(\d+)/.exec(text)?.[1] ?? 0),
    text,
  };
}
