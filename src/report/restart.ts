import type { GrantFeedSetting } from '../settings/enforce-settings.ts';
import type { ListenSetting, Settings } from '../settings/settings.ts';

/** Settings that sockets and memory are made from at the start, so that a change of them needs a restart. */
export class RestartNeeds {
  /** Values by their key in the server file: as they run, and as they were read last. */
  readonly #running: ReadonlyMap<string, string>;
  #read: ReadonlyMap<string, string>;

  /** `running`: what the server started with. */
  constructor(running: Settings) {
    this.#running = fixedUntilRestart(running);
    this.#read = this.#running;
  }

  /** Keys whose values in `next` are neither the running ones nor those of the last call: each change is told once. */
  changed(next: Settings): string[] {
    const before = this.#read;
    this.#read = fixedUntilRestart(next);
    return [...this.#read]
      .filter(([key, value]) => value !== this.#running.get(key) && value !== before.get(key))
      .map(([key]) => key);
  }
}

function fixedUntilRestart({
  listen,
  name,
  metrics,
  admin,
  state,
  log,
  cache,
  limits,
  enforce,
}: Settings): ReadonlyMap<string, string> {
  const fixed = {
    listen: listen.map(fixedOf),
    'server.name': name,
    metrics,
    admin: whereOf(admin),
    state,
    log,
    'cache.size': cache.size,
    'limits.tcp_clients': limits.tcpClients,
    'enforce.socket': enforce?.socket ?? '',
    'enforce.feeds': (enforce?.feeds ?? []).map(placeOfFeed),
  };
  return new Map(Object.entries(fixed).map(([key, value]) => [key, JSON.stringify(value)]));
}

/** What a listener shows and whom it trusts is taken anew at each reload, and its key belongs into no text. */
function fixedOf(setting: ListenSetting): object {
  if (setting.protocol !== 'tls') return setting;
  const { protocol, host, port, proxyFrom } = setting;
  return { protocol, host, port, proxyFrom };
}

/** What it shows, and whom it lets in, is taken anew. */
function placeOfFeed({ name, class: way, at }: GrantFeedSetting): readonly string[] {
  return [name, way, at.kind === 'unix' ? at.path : `${at.host} ${at.port}`];
}

/** Tokens and issuers are taken anew at each reload; where the API is asked stays. */
function whereOf(admin: Settings['admin']): string {
  if (admin === null) return '';
  return admin.kind === 'unix' ? `unix:${admin.path}` : `${admin.host} ${admin.port}`;
}
