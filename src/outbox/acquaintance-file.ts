import { closeSync, constants, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Acquaintance, Acquainted } from '../detect/patterns/acquaintance.ts';

/** The form of the file. */
const VERSION = 1;

interface Written {
  readonly version: number;
  /** Of the hash of names, in hexadecimal. */
  readonly secret: string;
  readonly identities: Readonly<Record<string, Acquainted>>;
}

/** What identities have used, on disk: the file `detect.json` of the state folder. A loss of it only tells names anew. */
export class AcquaintanceFile {
  /** Eight octets with which names are hashed. */
  readonly secret: Buffer;
  readonly #path: string;
  #identities: Readonly<Record<string, Acquainted>>;

  /** `fresh`: eight random octets, for a file that is not there yet. */
  constructor(folder: string, fresh: Buffer) {
    this.#path = join(folder, 'detect.json');
    const written = readWritten(this.#path);
    this.secret = written === null ? fresh : Buffer.from(written.secret, 'hex');
    this.#identities = written?.identities ?? {};
  }

  restore(acquaintance: Acquaintance): void {
    for (const [identity, known] of Object.entries(this.#identities)) acquaintance.restore(identity, known);
    acquaintance.changed.clear();
  }

  /** Writes it where something changed. What cannot be written is tried again the next time. */
  save(acquaintance: Acquaintance): void {
    if (acquaintance.changed.size === 0) return;
    const identities = { ...this.#identities };
    for (const identity of acquaintance.changed) {
      const known = acquaintance.kept(identity);
      if (known !== null) identities[identity] = known;
    }
    const written: Written = { version: VERSION, secret: this.secret.toString('hex'), identities };
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(written), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      return;
    }
    this.#identities = identities;
    acquaintance.changed.clear();
  }
}

/** Null for what is not there, or is no such file. */
function readWritten(path: string): Written | null {
  try {
    // Without waiting: a pipe has nobody at its other end.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    let text: string;
    try {
      text = readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
    const read = JSON.parse(text) as Partial<Written> | null;
    if (read?.version !== VERSION || !/^[0-9a-f]{16}$/.test(read.secret ?? '')) return null;
    return typeof read.identities === 'object' ? (read as Written) : null;
  } catch {
    return null;
  }
}
