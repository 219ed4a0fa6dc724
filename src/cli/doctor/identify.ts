import { WireError } from '../../wire/error.ts';
import { TYPE } from '../../wire/iana.ts';
import { nameFromText } from '../../wire/name.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { exchange, type Transport } from '../query/one-question.ts';
import { queryMessage, readReply } from '../query/readable-message.ts';
import type { Target } from '../query/target.ts';

/** Who answers at an address. */
export type Responder =
  | {
      readonly kind: 'namegate';
      /** As which identity it sees us. */
      readonly identity: string;
      /** That identity is in audit mode. */
      readonly audit: boolean;
      /** It answered itself: nothing that forwards stands between. */
      readonly direct: boolean;
      /** The address that namegate says it sees; null where it does not say. What we asked from may be translated on the way. */
      readonly seen: string | null;
    }
  | {
      /** `namegate stub`, which reaches no server. */
      readonly kind: 'stub';
      readonly reason: string;
    }
  | { readonly kind: 'other'; readonly status: string }
  | {
      readonly kind: 'silent';
      readonly reason: string;
      /** A TCP connection was there all the same. */
      readonly connected: boolean;
    };

/** namegate explains any name to whoever asks; for another resolver this name does not exist. */
const QUESTION = 'github.com._why.namegate.internal';

/** What the text of an Extended DNS Error of `namegate stub` begins with. */
const STUB = 'namegate stub: ';

/** Asks, and waits at most `patience` milliseconds. */
export async function identify(
  target: Target,
  transport: Transport,
  patience: Milliseconds,
): Promise<Responder> {
  const name = nameFromText(QUESTION);
  const query = name instanceof WireError ? null : queryMessage(name, TYPE.TXT);
  if (query === null) throw new Error(`${QUESTION} cannot be asked for`);
  const got = await exchange(query, target, transport, patience);
  if (got.kind === 'failure') return { kind: 'silent', reason: got.reason, connected: got.connected };
  const reply = readReply(got.octets);
  if (typeof reply === 'string') return { kind: 'other', status: reply };
  for (const { type, data } of reply.answers) {
    const seen = type === 'TXT' ? parseWhy(data) : null;
    if (seen !== null) {
      return { kind: 'namegate', ...seen, direct: reply.flags.includes('aa') };
    }
  }
  const stub = reply.ede.find(({ text }) => text.startsWith(STUB));
  if (stub !== undefined) return { kind: 'stub', reason: stub.text.slice(STUB.length) };
  return { kind: 'other', status: reply.status };
}

/** The identity in a line of `explain`, as TXT data; null where it is no such line. */
export function parseWhy(data: string): Seen | null {
  const line = data.replace(/^"|" "|"$/g, '');
  const match =
    /^\S+ \S+: (?:allow|local|empty|deny|contain) for ([^ ;]+)(?: at stage [^ ;]+)?( \(audit)?/.exec(line);
  if (match === null) return null;
  const [, address = null] = /namegate sees you as ([0-9A-Fa-f:.]+)(?![0-9A-Za-z])/.exec(line) ?? [];
  return { identity: match[1]!, audit: match[2] !== undefined, seen: address?.replace(/\.+$/, '') ?? null };
}

/** What a line of `explain` says of whoever asked. */
interface Seen {
  readonly identity: string;
  readonly audit: boolean;
  readonly seen: string | null;
}
