/**
 * A value as JSON on one line that a terminal, a log or an editor shows as it is: what JSON.stringify leaves of control,
 * format and separator characters (C1, DEL, bidi controls, U+2028/9) is escaped too. It is still JSON (RFC 8259 §7), and
 * reads back as the same value.
 */
export function jsonText(value: unknown): string {
  return escaped(JSON.stringify(value));
}

/** The same of a text that is JSON already. */
function escaped(json: string): string {
  return PLAIN.test(json) ? json : json.replace(HIDDEN, escapeUnits);
}

const PLAIN = /^[\x20-\x7e]*$/;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escapeUnits(character: string): string {
  let text = '';
  for (let i = 0; i < character.length; i++) {
    text += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }
  return text;
}
