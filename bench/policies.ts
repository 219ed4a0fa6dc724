import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How large a generated policy is. */
export interface Scale {
  /** Lists (`names_from`), each a destination of its own. */
  readonly lists: number;
  /** Names in each, no two the same in all of them. */
  readonly namesAList: number;
  /** Identity i allows list i modulo `lists`. */
  readonly identities: number;
  /** Each identity has a rule of its own besides, so that no two have the same view. */
  readonly ownRule: boolean;
}

/** Names of the policy, wildcards none. */
export function rulesOf({ lists, namesAList, identities, ownRule }: Scale): number {
  return lists * namesAList + (ownRule ? identities : 0);
}

/** A host name as clouds and build farms give them: `node-00042-1x7k.team-0007.corp.example`. */
export function listedName(list: number, entry: number): string {
  const id = String(entry).padStart(5, '0');
  const tail = (Math.imul(list * 65_537 + entry + 1, 0x9e37_79b1) >>> 8).toString(36);
  return `node-${id}-${tail}.team-${String(list).padStart(4, '0')}.corp.example`;
}

/** The address of an identity in 10.0.0.0/8. */
export function addressOf(identity: number): string {
  return `10.${identity >>> 16}.${(identity >>> 8) & 255}.${identity & 255}`;
}

/** Writes the policy and a server file that listens on the port; returns the server file's path. Loopback is identity 0 too. */
export function writeScale(folder: string, scale: Scale, port: number): string {
  const policy = join(folder, 'policy');
  mkdirSync(join(policy, 'lists'), { recursive: true });
  for (let list = 0; list < scale.lists; list++) writeList(folder, scale, list, 0);
  const destinations = Array.from({ length: scale.lists }, (_, list) => destination(list));
  const identities = Array.from({ length: scale.identities }, (_, identity) => identityText(scale, identity));
  writeFileSync(
    join(policy, 'scale.yaml'),
    `destinations:\n${destinations.join('')}identities:\n${identities.join('')}`,
  );
  const config = join(folder, 'namegate.yaml');
  writeFileSync(
    config,
    `listen: [udp://127.0.0.1:${port}]
upstreams: { default: { servers: [udp://192.0.2.53] } }
policy: policy/
`,
  );
  return config;
}

/** Writes a list anew; another `edition` has another last name. */
export function writeList(folder: string, { namesAList }: Scale, list: number, edition: number): void {
  const names = Array.from({ length: namesAList }, (_, entry) => listedName(list, entry));
  if (edition > 0) names[names.length - 1] = `edition-${edition}.team-${list}.corp.example`;
  writeFileSync(join(folder, 'policy', listPath(list)), `${names.join('\n')}\n`);
}

function listPath(list: number): string {
  return `lists/team-${String(list).padStart(4, '0')}.txt`;
}

function destination(list: number): string {
  return `  list-${list}: { owner: bench, reason: bench, names_from: [${listPath(list)}] }\n`;
}

function identityText({ lists, ownRule }: Scale, identity: number): string {
  const addresses = identity === 0 ? `${addressOf(0)}, 127.0.0.1` : addressOf(identity);
  const own = ownRule ? `, { name: own-${identity}.corp.example, reason: bench }` : '';
  return `  - name: identity-${identity}
    owner: bench
    review_by: 2099-01-01
    from: { addresses: [${addresses}] }
    allow: [list-${identity % lists}${own}]
`;
}
