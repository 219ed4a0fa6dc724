import { resolve } from 'node:path';
import type { ListenSetting, PemFile, TlsSetting } from '../../settings/settings.ts';
import { decodeUtf8, digestOf } from '../files/files.ts';
import { lookLater } from '../files/look.ts';
import { formFault, type PemKind } from './pem-files.ts';

/** Listeners with what their files hold now. */
export interface PemsAgain {
  readonly listen: readonly ListenSetting[];
  /** By absolute path: see `LoadResult.digests`. */
  readonly digests: ReadonlyMap<string, string>;
}

/** Absolute paths of the certificates, keys, CAs and CRLs of TLS listeners, each once, sorted. */
export function pemPaths(listen: readonly ListenSetting[]): string[] {
  const paths = listen.flatMap((setting) =>
    setting.protocol === 'tls' ? filesOf(setting.tls).map(({ file }) => resolve(file.path)) : [],
  );
  return [...new Set(paths)].sort();
}

/**
 * Reads the files of TLS listeners anew, and nothing else. Null where one is not to be had or has another form: then a load
 * finds that too, and says where the file is named. Never rejects.
 */
export async function readPemsAgain(listen: readonly ListenSetting[]): Promise<PemsAgain | null> {
  const files = listen.flatMap((setting) => (setting.protocol === 'tls' ? filesOf(setting.tls) : []));
  const digests = new Map<string, string>();
  const texts = new Map<string, string>();
  for (const { file, kind } of files) {
    const path = resolve(file.path);
    if (digests.has(path)) continue;
    const seen = await lookLater(path);
    if (seen.kind !== 'file' || formFault(seen.bytes, kind) !== null) return null;
    digests.set(path, digestOf(seen));
    texts.set(path, decodeUtf8(seen.bytes) as string);
  }
  const again = <F extends PemFile | null>(file: F): F =>
    file === null ? file : ({ path: file.path, text: texts.get(resolve(file.path))! } as F);
  const renewed = (tls: TlsSetting): TlsSetting => ({
    ...tls,
    certificate: again(tls.certificate),
    key: again(tls.key),
    clientCa: again(tls.clientCa),
    crl: again(tls.crl),
    trustDomains: tls.trustDomains.map(({ name, bundle }) => ({ name, bundle: again(bundle) })),
  });
  return {
    listen: listen.map((setting) =>
      setting.protocol === 'tls' ? { ...setting, tls: renewed(setting.tls) } : setting,
    ),
    digests,
  };
}

function filesOf(tls: TlsSetting): { readonly file: PemFile; readonly kind: PemKind }[] {
  const { certificate, key, clientCa, crl, trustDomains } = tls;
  const pems = [certificate, key, clientCa, crl].flatMap((file) => file ?? []);
  return [
    ...pems.map((file) => ({ file, kind: 'pem' as const })),
    ...trustDomains.map(({ bundle }) => ({ file: bundle, kind: 'bundle' as const })),
  ];
}
