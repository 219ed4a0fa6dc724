import { addressToText } from '../../policy/address.ts';
import { TWO } from '../../policy/certificates.ts';
import { isoTime } from '../../policy/explain/rule-text.ts';
import { findAddress } from '../../policy/identity.ts';
import { type IpAddress, isMapped } from '../../wire/ip-address.ts';
import type { Turn } from '../story/turn.ts';
import { type EdeText, edeText } from './ede-text.ts';

/** Letters of a certificate's name that are told. */
const MOST_NAME = 200;

/** Why whoever has the turn is nobody: what namegate sees of it. */
export function unclaimedBecause({ asker, inForce, now, epoch }: Turn): string {
  const { client, bound } = asker;
  const { credential } = client;
  if (credential !== null && credential.fault !== null)
    return `namegate sees your certificate ${nameOf(credential.names)} and does not take it: ${credential.fault.text}`;
  if (bound !== null && bound.lease !== '')
    return `lease ${bound.lease} is of an identity or stage that the policy no longer has`;
  if (bound !== null) {
    const until = isoTime(Math.ceil(epoch + (bound.endsAt - now) / 1000));
    return `namegate sees you as ${seenAs(client)}; a lease on it has ended, and it is nobody's until ${until}`;
  }
  if (credential !== null) {
    const of = credential.index === TWO ? 'two identities have it' : 'no identity has it';
    return `namegate sees you by your certificate ${nameOf(credential.names)}; ${of}`;
  }
  const { addresses, identities } = inForce.snapshot;
  const identity = identities[findAddress(addresses, client)];
  const of =
    identity === undefined ? 'no identity has it' : `${identity.name} has it and wants a certificate too`;
  return `namegate sees you as ${seenAs(client)}; ${of}`;
}

/** The first name that is no fingerprint, else the fingerprint. */
function nameOf(names: readonly string[]): string {
  return (names.find((name) => !name.startsWith('sha256:')) ?? names[0] ?? '').slice(0, MOST_NAME);
}

/** A client's address as text; a mapped one is its IPv4 address. */
export function seenAs(client: IpAddress): string {
  const { family, w0, w1, w2, w3 } = client;
  const words = family === 4 ? [w0] : isMapped(client) ? [w3] : [w0, w1, w2, w3];
  const octets = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) octets.writeUInt32BE(word, 4 * i);
  return addressToText(octets);
}

/** Clients whose text is remembered, by what their addresses' last bits are. */
const SLOTS = 64;

/**
 * EDE texts of clients that nobody has. Such a client asks again and again, so the last texts are kept: by address where
 * that alone tells why, and made anew where a certificate or a lease does.
 */
export class UnclaimedTexts {
  readonly #kept: (Kept | undefined)[] = Array.from({ length: SLOTS });

  of(turn: Turn): EdeText {
    const { asker, inForce } = turn;
    const { family, w0, w1, w2, w3, credential } = asker.client;
    const { contact } = inForce.replies;
    if (credential !== null || asker.bound !== null) return shortText(turn, contact);
    const slot = (w0 ^ w1 ^ w2 ^ w3) & (SLOTS - 1);
    const kept = this.#kept[slot];
    if (
      kept !== undefined &&
      kept.w0 === w0 &&
      kept.w1 === w1 &&
      kept.w2 === w2 &&
      kept.w3 === w3 &&
      kept.family === family &&
      kept.under === inForce
    ) {
      return kept.text;
    }
    const text = shortText(turn, contact);
    this.#kept[slot] = { family, w0, w1, w2, w3, under: inForce, text };
    return text;
  }
}

/** What is seen stands first, and is cut last: half an address is worse than none. Then whom to ask, then why. */
function shortText(turn: Turn, contact: string): EdeText {
  const [seen = '', ...why] = unclaimedBecause(turn).split('; ');
  const ask = contact === '' ? [] : [`ask ${contact}`];
  return edeText([seen, ...ask, ...why].join('; '), '');
}

interface Kept extends IpAddress {
  /** The text holds for what was in force. */
  readonly under: unknown;
  readonly text: EdeText;
}
