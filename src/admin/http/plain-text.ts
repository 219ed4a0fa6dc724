/** A text on one line, or null where there is none or it holds what is not seen. */
export function plainText(written: string): string | null {
  const text = written.trim().replace(/\s+/g, ' ');
  const isPlain = text !== '' && !/\p{Cc}|[\u200b-\u200f\u2028-\u202e\u2066-\u2069]/u.test(text);
  return isPlain && text.isWellFormed() ? text : null;
}
