import type { Position } from '../../policy/problem.ts';
import type { PemFile } from '../../settings/settings.ts';
import type { ProblemCode } from '../codes.ts';
import { decodeUtf8 } from '../files/files.ts';
import { relativeTo } from '../policy/lists.ts';
import type { ServerContext } from './server-context.ts';

/** Kinds of text that a file may hold: PEM alone, or also a SPIFFE bundle (JWKS). */
export type PemKind = 'pem' | 'bundle';

/**
 * Reads the file that `holder[key]` names, or null with a problem there. It may hold a private key, so no text of it is kept for
 * excerpts, and no message shows any. What the blocks in it are worth is not looked at here.
 */
export function readPemFile(
  holder: object,
  key: string,
  path: string,
  kind: PemKind,
  context: ServerContext,
): PemFile | null {
  const { marks, problems, reader } = context;
  const at = marks.value(holder, key);
  if (path === '') return refuse('value-empty', at, `${key} is empty`, 'write the path of a file', context);
  if (path.includes('-----BEGIN')) {
    return refuse(
      'file-pem',
      at,
      `${key} holds PEM itself`,
      'write it into a file, and its path here',
      context,
    );
  }
  const file = relativeTo(marks.file, path);
  const bytes = reader.readBytes(file, at, problems);
  if (bytes === null) return null;
  const fault = formFault(bytes, kind);
  if (fault !== null) return refuse('file-pem', at, `${file} ${fault.what}`, fault.fix, context);
  return { path: file, text: decodeUtf8(bytes) as string };
}

interface FormFault {
  readonly what: string;
  readonly fix: string;
}

/** Why these octets are no text of this kind, or null. */
export function formFault(bytes: Buffer, kind: PemKind): FormFault | null {
  if (bytes.length === 0) return { what: 'is empty', fix: 'write PEM: -----BEGIN and so on' };
  // A SEQUENCE of 128 octets or more: what certificates, keys and CRLs begin with.
  if (bytes[0] === 0x30 && bytes[1]! >= 0x81 && bytes[1]! <= 0x84)
    return { what: 'is DER', fix: 'write PEM (openssl x509 -inform DER -in FILE -out FILE.pem)' };
  const text = decodeUtf8(bytes);
  if (typeof text !== 'string') return { what: 'is no text', fix: 'write PEM: -----BEGIN and so on' };
  if (text.includes('-----BEGIN ')) return null;
  if (kind === 'bundle' && text.trimStart().startsWith('{')) return null;
  return kind === 'bundle'
    ? { what: 'is neither PEM nor JWKS', fix: 'write the certificates of the CAs in PEM, or a SPIFFE bundle' }
    : { what: 'holds no PEM', fix: 'write PEM: -----BEGIN and so on' };
}

function refuse(code: ProblemCode, at: Position, message: string, fix: string, context: ServerContext): null {
  context.problems.error(code, at, message, fix);
  return null;
}
