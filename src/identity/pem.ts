/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, `X509 CRL`, `PRIVATE KEY` and so on. */
  readonly label: string;
  /** Null where the base64 is none, or the block has no end of its own. */
  readonly der: Uint8Array | null;
  /** Of its first line, from 1. */
  readonly line: number;
}

/** The blocks of a text, in order. What stands between them is ignored, as everywhere. */
export function readPem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let line = 1;
  let counted = 0;
  for (const match of text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)) {
    for (
      let at = text.indexOf('\n', counted);
      at >= 0 && at < match.index;
      at = text.indexOf('\n', counted)
    ) {
      line++;
      counted = at + 1;
    }
    const [opening, label = ''] = match;
    const from = match.index + opening.length;
    const to = text.indexOf('-----', from);
    const closed = to >= 0 && text.startsWith(`-----END ${label}-----`, to);
    blocks.push({ label, der: closed ? decode(text.slice(from, to)) : null, line });
  }
  return blocks;
}

function decode(body: string): Uint8Array | null {
  const bare = body.replace(/\s+/g, '');
  if (bare === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(bare) || bare.length % 4 !== 0) return null;
  return Buffer.from(bare, 'base64');
}
