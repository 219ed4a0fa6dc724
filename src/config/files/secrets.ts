/**
 * Text that is shown to people (excerpts, messages, logs) with what looks like a secret hidden: a policy may name a file
 * that nobody meant to be one, and what `check` prints ends in the logs of a CI. Each hidden character becomes a dot, so
 * that columns stay.
 */
export function withoutSecrets(text: string): string {
  let out = text;
  for (const secret of SECRETS) out = out.replace(secret, dots);
  return out.replace(OPAQUE, (run) => (isOpaque(run) ? dots(run) : run));
}

/** Where the next PEM block stands in a text, from `at` on: its first octet, and the end of its last line. */
export function nextPem(text: string, at: number): { readonly start: number; readonly end: number } {
  const start = text.indexOf('-----BEGIN ', at);
  if (start < 0) return { start: text.length + 1, end: text.length + 1 };
  const last = text.indexOf('-----END ', start);
  const end = last < 0 ? -1 : text.indexOf('\n', last);
  return { start, end: end < 0 ? text.length + 1 : end };
}

export function dots(text: string): string {
  return text.replace(/[^\n\t ]/gu, '•');
}

/** Whole matches are hidden, but for what a lookbehind holds. */
const SECRETS: readonly RegExp[] = [
  // A PEM block in one line, or its first lines in a message.
  /-----BEGIN [A-Z0-9 ]+.*/g,
  // JSON Web Tokens (RFC 7519).
  /\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g,
  // Tokens that their issuers mark with a prefix.
  /\b(?:gh[pousr]_|github_pat_|glpat-|gl[a-z]{2,6}-|xox[a-z]-|sk[-_](?:live[-_]|test[-_]|proj-|ant-)?|rk_live_|npm_|pypi-|hv[sbr]\.|dop_v1_|shpat_|AIza|ya29\.|SG\.|dckr_pat_|figd_|lin_api_)[\w.-]{10,}/g,
  /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}/g,
  // What crypt(5) writes, and an entry of shadow(5) with it.
  /\$[0-9a-z]{1,10}\$[^\s:"']{8,}/g,
  // A URL's user information (RFC 3986 §3.2.1).
  /(?<=:\/\/)[^\s/@"']*:[^\s/@"']+(?=@)/g,
  // HTTP credentials (RFC 9110 §11.4).
  /(?<=\b(?:Bearer|Basic)[ \t]+)[\w.~+/=-]{8,}/g,
  // What follows a word that announces a secret.
  /(?<=\b(?:[\w-]*(?:passw(?:or)?d|passphrase|secret|api[-_]?key|access[-_]?key|private[-_]?key|token|credentials?)|authorization|pwd)["']?[ \t]*[:=][ \t]*["']?)[^\s"',}\]]{4,}/gi,
];

/** Runs of letters and digits as base64 and hexadecimal have them; a dot ends a run, for labels of names are long too. */
const OPAQUE = /(?<!sha256:[0-9a-f:]*)(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/=_-]{24,}(?![A-Za-z0-9+/=_.-])/gi;

/**
 * Nobody writes upper and lower case letters and digits in turn by hand, nor 32 hexadecimal digits. A slash is part of
 * base64 and of paths: the parts of a path are short, or of one case.
 */
function isOpaque(run: string): boolean {
  // No path has its padding, and few the length of an AWS secret key: there slashes count as letters.
  if (/^(?:[A-Za-z0-9+/]{40}|[A-Za-z0-9+/]+={1,2})$/.test(run) && isMixed(run)) return true;
  return run.split('/').some((part) => (part.length >= 14 && isMixed(part)) || /^[0-9a-f]{32,}$/i.test(part));
}

function isMixed(text: string): boolean {
  return /[a-z]/.test(text) && /[A-Z]/.test(text) && /[0-9+]/.test(text);
}
