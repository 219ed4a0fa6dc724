import { resolve } from 'node:path';
import { z } from 'zod';
import type { AdminSetting, OidcSetting } from '../../settings/settings.ts';
import { relativeTo } from '../policy/lists.ts';
import { TextFault } from '../problems.ts';
import { duration, list, text } from '../schema/schema-parts.ts';
import { quote } from '../units.ts';
import { readTokenFile } from './admin-tokens.ts';
import { parseAdmin, URL_FORM } from './endpoint.ts';
import type { ServerContext } from './server-context.ts';

/** Keys of the server file that say where the admin API is, and what it may grant. */
export const adminKeys = {
  admin: z
    .union([
      text(
        'unix: and a path',
        'A unix socket, mode 0600: who reaches it administers. Relative to this file.',
        '^unix:.+$',
        'unix:state/admin.sock',
      ),
      z.strictObject({
        on: text('a URL', 'http:// and a loopback address.', URL_FORM.metrics, 'http://127.0.0.1:9154'),
        tokens: text(
          'a path',
          'A file of tokens, and what each may do. Relative to this file.',
          null,
          'tokens.yaml',
        ).optional(),
        oidc: list(
          z
            .strictObject({
              issuer: text('a URL', 'What the tokens have as `iss`.', null, 'https://ci.example'),
              audience: text('a text', 'What they must have as `aud`.', null, 'namegate'),
              jwks: text(
                'a path or a URL',
                'The keys (RFC 7517): a file, relative to this one, or an https:// URL.',
                null,
                'jwks.json',
              ),
            })
            .meta({ title: 'a map { issuer, audience, jwks }' }),
          'a list of issuers',
          "Issuers of jobs' tokens (OIDC), which open leases of the identities whose `claims:` they match.",
        ).optional(),
      }),
    ])
    .meta({
      title: '`unix:PATH` or a map { on, tokens, oidc }',
      description: 'The admin API: leases, exceptions, explain; off unless written.',
      examples: ['unix:state/admin.sock'],
    })
    .optional(),
  exceptions: z
    .strictObject({
      max_ttl: duration(
        'The longest time to live of an exception made over the API (default 7d).',
        '7d',
      ).optional(),
    })
    .meta({ title: 'a map', description: 'Bounds of exceptions made over the admin API.' })
    .optional(),
};

interface WrittenIssuer {
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly jwks?: string | undefined;
}

interface WrittenHttp {
  readonly on?: string | undefined;
  readonly tokens?: string | undefined;
  readonly oidc?: readonly (WrittenIssuer | undefined)[] | undefined;
}

export function readAdmin(
  written: { readonly admin?: string | WrittenHttp | undefined },
  context: ServerContext,
): AdminSetting | null {
  const { admin } = written;
  if (admin === undefined) return null;
  if (typeof admin === 'string') return readSocket(written, admin, context);
  return readHttp(admin, context);
}

function readSocket(holder: object, text: string, { marks, problems }: ServerContext): AdminSetting | null {
  if (/^unix:./.test(text)) {
    const path = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    return { kind: 'unix', path: resolve(relativeTo(marks.file, path)) };
  }
  const on = parseAdmin(text) instanceof TextFault ? 'http://127.0.0.1:9154' : text;
  const fix = text.startsWith('http') ? `write { on: "${on}", tokens: FILE }` : 'write unix:state/admin.sock';
  problems.error('admin-form', marks.value(holder, 'admin'), `${quote(text)} is no unix socket`, fix);
  return null;
}

function readHttp(written: WrittenHttp, context: ServerContext): AdminSetting | null {
  const { marks, problems } = context;
  if (written.tokens === undefined && written.oidc === undefined) {
    const fix = 'write tokens: FILE, or oidc: with an issuer';
    problems.error('admin-form', marks.container(written), 'nobody could ask: there are no tokens', fix);
  }
  const tokens = written.tokens === undefined ? [] : readTokenFile(written, written.tokens, context);
  const oidc = (written.oidc ?? []).flatMap((issuer) => readIssuer(issuer, context) ?? []);
  if (written.on === undefined) return null;
  const endpoint = parseAdmin(written.on);
  if (endpoint instanceof TextFault) {
    problems.fault(endpoint, marks.inside(written, 'on', endpoint.offset));
    return null;
  }
  return { kind: 'http', host: endpoint.host, port: endpoint.port, tokens, oidc };
}

function readIssuer(written: WrittenIssuer | undefined, context: ServerContext): OidcSetting | null {
  const { marks, problems } = context;
  if (written?.issuer === undefined || written.audience === undefined || written.jwks === undefined)
    return null;
  const { issuer, audience } = written;
  for (const key of ['issuer', 'audience'] as const) {
    if (written[key]!.trim() !== '') continue;
    problems.error('value-empty', marks.value(written, key), `${key} is empty`, `write the ${key}`);
    return null;
  }
  const jwks = readJwks(written, written.jwks, context);
  return jwks === null ? null : { issuer, audience, jwks };
}

function readJwks(
  holder: object,
  text: string,
  { marks, problems, reader }: ServerContext,
): OidcSetting['jwks'] | null {
  const at = marks.value(holder, 'jwks');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    if (isKeyUrl(text)) return { url: text };
    problems.error(
      'jwks-form',
      at,
      `${quote(text)} is no https:// URL`,
      'write an https:// URL, or the path of a file',
    );
    return null;
  }
  if (text === '') {
    problems.error('value-empty', at, 'jwks is empty', 'write the path of a file, or an https:// URL');
    return null;
  }
  const path = relativeTo(marks.file, text);
  const content = reader.readHiddenText(path, at, problems);
  if (content === null) return null;
  const fault = faultOfJwks(content);
  if (fault === null) return { file: { path, text: content } };
  problems.error('jwks-form', at, `${path} ${fault}`, 'write what the issuer publishes as its jwks_uri');
  return null;
}

/** https, or http to this very machine. */
function isKeyUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return (
    url.protocol === 'https:' || (url.protocol === 'http:' && /^(127\.[0-9.]+|\[::1\])$/.test(url.hostname))
  );
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'k'];

/** What is wrong with the text as a set of public keys, or null. */
function faultOfJwks(text: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'is no JSON';
  }
  const keys = (parsed as { keys?: unknown } | null)?.keys;
  const isKey = (key: unknown): key is Record<string, unknown> =>
    typeof key === 'object' && key !== null && typeof (key as { kty?: unknown }).kty === 'string';
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isKey)) return 'holds no keys';
  const secret = keys.some((key) => PRIVATE_MEMBERS.some((member) => member in key));
  return secret ? 'holds a private or symmetric key' : null;
}
