/** An EDE text as octets: UTF-8. */
export interface EdeText {
  readonly octets: Buffer;
  /** How many octets at its end are cut last: they say whom to ask. */
  readonly keep: number;
}

/** `ask`: who can do something about it; empty where nobody is known. */
export function edeText(text: string, ask: string): EdeText {
  const tail = ask === '' ? '' : `; ask ${ask}`;
  return { octets: Buffer.from(text + tail), keep: Buffer.byteLength(tail) };
}
