import { parseResolvConf } from '../../upstream/system.ts';

/** What a stub takes from resolv.conf and its environment (resolv.conf(5)). */
export interface StubConfig {
  /** Address literals in the order listed, each once. */
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  /** By name; the value is what stands behind the colon, or ''. */
  readonly options: ReadonlyMap<string, string>;
}

/** Reads resolv.conf as glibc does: of `search` and `domain` the last wins; LOCALDOMAIN and RES_OPTIONS override. */
export function readStubConfig(text: string, env: Readonly<Record<string, string | undefined>>): StubConfig {
  let search: string[] = [];
  const options = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, key, rest] = /^(search|domain|options)[ \t]+([^;#]*)/.exec(line) ?? [];
    if (key === 'options') addOptions(options, rest!);
    else if (key !== undefined) search = words(rest!).slice(0, key === 'domain' ? 1 : undefined);
  }
  if (env['LOCALDOMAIN'] !== undefined) search = words(env['LOCALDOMAIN']);
  addOptions(options, env['RES_OPTIONS'] ?? '');
  // `search .` is the way to have none.
  search = search.filter((suffix) => suffix !== '.');
  return { nameservers: parseResolvConf(text).map(({ host }) => host), search, options };
}

function addOptions(options: Map<string, string>, text: string): void {
  for (const word of words(text)) {
    const colon = word.indexOf(':');
    options.set(colon < 0 ? word : word.slice(0, colon), colon < 0 ? '' : word.slice(colon + 1));
  }
}

function words(text: string): string[] {
  return text.split(/[ \t]+/).filter((word) => word !== '');
}
