import { resolve } from 'node:path';
import type { z } from 'zod';
import type { FeedAt, GrantFeedSetting } from '../../settings/enforce-settings.ts';
import { relativeTo } from '../policy/lists.ts';
import { parseCertificate } from '../policy/written-certificate.ts';
import { TextFault } from '../problems.ts';
import type { enforce as schema } from '../schema/enforce-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { quote } from '../units.ts';
import { parseListener } from './endpoint.ts';
import { readPemFile } from './pem-files.ts';
import type { ServerContext } from './server-context.ts';

type Written = NonNullable<NonNullable<NonNullable<Repaired<z.infer<typeof schema>>>['feeds']>[number]>;

const TLS_KEYS = ['certificate', 'key', 'client_ca', 'crl', 'clients'] as const;
/** Without these anybody could read who connects where. */
const NEEDED = ['certificate', 'key', 'client_ca', 'clients'] as const;

/** The feeds of grants; one that is refused is left out. */
export function readFeeds(
  written: readonly (Written | undefined)[],
  context: ServerContext,
): GrantFeedSetting[] {
  const { marks, problems } = context;
  const seen = new Set<string>();
  return written.flatMap((feed): GrantFeedSetting[] => {
    if (feed === undefined) return [];
    const { name, on, class: way = 'follow' } = feed;
    if (name === undefined || on === undefined) return [];
    const at = readPlace(feed, on, context);
    for (const [key, text] of [
      ['name', name],
      ['on', on],
    ] as const) {
      if (seen.has(`${key} ${text}`)) {
        const message = `two feeds have the ${key === 'name' ? 'name' : 'place'} ${text}`;
        problems.error('feed-duplicate', marks.value(feed, key), message, 'write another');
      }
      seen.add(`${key} ${text}`);
    }
    return at === null ? [] : [{ name, class: way, at }];
  });
}

function readPlace(feed: Written, on: string, context: ServerContext): FeedAt | null {
  const { marks, problems } = context;
  if (/^unix:./.test(on)) {
    for (const key of TLS_KEYS)
      if (Object.hasOwn(feed, key)) {
        const message = `${key} is for tls://; this feed is a unix socket of namegate's own user`;
        problems.error('feed-form', marks.key(feed, key), message, `remove ${key}`);
      }
    return {
      kind: 'unix',
      path: resolve(relativeTo(marks.file, on.slice('unix:'.length).replace(/^\/\/(?=\/)/, ''))),
    };
  }
  const endpoint = parseListener(on);
  if (endpoint instanceof TextFault || endpoint.scheme !== 'tls' || !/:\d+$/.test(on)) {
    const fix = 'write unix:PATH, or tls://ADDRESS:PORT';
    problems.error('feed-form', marks.value(feed, 'on'), `${quote(on)} is no place of a feed`, fix);
    return null;
  }
  for (const key of NEEDED)
    if (!Object.hasOwn(feed, key)) {
      const fix = 'write certificate, key, client_ca and clients';
      problems.error('feed-form', marks.value(feed, 'on'), `a feed on tls:// has no ${key}`, fix);
    }
  const file = (key: 'certificate' | 'key' | 'client_ca' | 'crl') =>
    feed[key] === undefined ? null : readPemFile(feed, key, feed[key], 'pem', context);
  const [certificate, key, clientCa, crl] = [
    file('certificate'),
    file('key'),
    file('client_ca'),
    file('crl'),
  ];
  const clients = readClients(feed.clients ?? [], context);
  if (certificate === null || key === null || clientCa === null) return null;
  const { host, port } = endpoint;
  const who = { clients: 'required', clientCa, crl, crlEnded: 'refuse', trustDomains: [] } as const;
  return { kind: 'tls', host, port, tls: { certificate, key, ...who }, clients };
}

function readClients(
  written: readonly (string | undefined)[],
  { marks, problems }: ServerContext,
): readonly string[] {
  return written.flatMap((text, index) => {
    if (text === undefined) return [];
    const read = parseCertificate(text);
    if (typeof read !== 'string') problems.fault(read, marks.inside(written, index, read.offset));
    else if (read.endsWith('/*')) {
      const fix = 'write the certificates of the enforcers one by one';
      problems.error('feed-form', marks.value(written, index), `${quote(text)} is many certificates`, fix);
    } else return [read];
    return [];
  });
}
