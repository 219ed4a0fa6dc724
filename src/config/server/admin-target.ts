import { resolve } from 'node:path';
import { FileReader } from '../files/files.ts';
import { readYaml } from '../files/yaml.ts';
import { relativeTo } from '../policy/lists.ts';
import { Problems, TextFault } from '../problems.ts';
import { parseAdmin } from './endpoint.ts';

/** Where the admin API of a running server is asked: the absolute path of its socket, or its URL. */
export type AdminTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'http'; readonly host: string; readonly port: number };

/**
 * What a server file says of its admin API, whatever else is wrong in it or in the policy: who repairs something wants to
 * ask the server meanwhile. A text says why there is none.
 */
export function adminTarget(serverFile: string): AdminTarget | string {
  const problems = new Problems();
  const text = new FileReader().readText(serverFile, { file: serverFile, line: 1, column: 1 }, problems);
  const yaml = text === null ? null : readYaml(serverFile, text, problems);
  if (yaml === null) return `${serverFile} cannot be read`;
  const { admin } = yaml.data as { readonly admin?: unknown };
  if (admin === undefined) return `${serverFile} has no admin: write admin: unix:state/admin.sock`;
  if (typeof admin === 'string')
    return targetOf(admin, serverFile) ?? `admin in ${serverFile} is no unix socket`;
  const on = (admin as { readonly on?: unknown } | null)?.on;
  const target = typeof on === 'string' ? targetOf(on, serverFile) : null;
  return target ?? `admin in ${serverFile} says nowhere to ask`;
}

/** `unix:PATH`, relative to `base`, or `http://` and a loopback address; null where it is neither. */
export function targetOf(text: string, base: string): AdminTarget | null {
  if (text.startsWith('unix:') && text.length > 5) {
    const path = text.slice(5).replace(/^\/\/(?=\/)/, '');
    return { kind: 'unix', path: resolve(relativeTo(base, path)) };
  }
  const endpoint = parseAdmin(text.replace(/\/$/, ''));
  return endpoint instanceof TextFault ? null : { kind: 'http', host: endpoint.host, port: endpoint.port };
}
