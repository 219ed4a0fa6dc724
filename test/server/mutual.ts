import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Authority, type Issued } from '../identity/authority.ts';
import { house, Namegate } from './namegate.ts';

const serverCa = new Authority({ name: 'servers' });
const shown = serverCa.issue({ dns: ['dns.example'], ips: ['127.0.0.1'], eku: ['serverAuth'] });

export const VICTIM = 'spiffe://ci.example/victim';
/** What the victim is told under its identity. */
export const SECRET = '192.0.2.1';
export const STEADY = '192.0.2.2';

export function policy(victim: string | null): string {
  return `identities:
  - name: victim
    owner: team
    review_by: 2099-01-01
    from: { ${victim === null ? 'addresses: [198.51.100.1]' : `certificates: ["${victim}"]`} }
    allow: [{ name: victim.example, types: [A], reason: test }]
  - name: steady
    owner: team
    review_by: 2099-01-01
    from: { certificates: ["dns:steady.example"] }
    allow: [{ name: steady.example, types: [A], reason: test }]
  - name: heir
    owner: team
    review_by: 2099-01-01
    from: { ${victim === null ? `certificates: ["${VICTIM}"]` : 'addresses: [198.51.100.2]'} }
    allow: [{ name: heir.example, types: [A], reason: test }]
records:
  - { name: victim.example, type: A, data: ${SECRET} }
  - { name: steady.example, type: A, data: ${STEADY} }
  - { name: heir.example, type: A, data: 192.0.2.3 }
`;
}

export interface Rig {
  readonly server: Namegate;
  readonly port: number;
  readonly clients: Authority;
  readonly victim: Issued;
  readonly steady: Issued;
}

interface Shape {
  /** Options of the victim's certificate, and whether a trust domain's bundle vouches for it. */
  readonly victim?: { readonly notAfter?: Date };
  readonly domain?: boolean;
  readonly crl?: (clients: Authority) => string;
}

/** A server that knows two clients by their certificates. */
export async function rig(t: Test, { victim: options = {}, domain = false, crl }: Shape = {}): Promise<Rig> {
  const clients = new Authority({ name: 'clients' });
  const bundle = new Authority({ name: 'domain' });
  const issuer = domain ? bundle : clients;
  const folder = t.testdir({
    'server.pem': shown.pem,
    'server.key': shown.keyPem,
    'clients.pem': clients.pem,
    'domain.pem': bundle.pem,
    'clients.crl': crl === undefined ? clients.crl().pem : crl(clients),
  });
  const settings = {
    policy: policy(VICTIM),
    listen: [
      'udp://127.0.0.1:0',
      'tcp://127.0.0.1:0',
      {
        on: 'tls://127.0.0.1:0',
        certificate: 'server.pem',
        key: 'server.key',
        clients: 'required',
        client_ca: 'clients.pem',
        crl: 'clients.crl',
        ...(domain ? { trust_domains: { 'ci.example': 'domain.pem' } } : {}),
      },
    ],
    settings: 'limits: { tcp_clients: 4000 }',
  };
  const server = await new Namegate(t, house(t, settings, folder)).started();
  const url = server.events('listening').find((line) => String(line['url']).startsWith('tls:'));
  return {
    server,
    port: Number(String(url!['url']).split(':').at(-1)),
    clients,
    victim: issuer.issue({ uris: [VICTIM], ...options }),
    steady: clients.issue({ dns: ['steady.example'] }),
  };
}

/** Rewrites the server file in place. */
export function edit(server: Namegate, change: (text: string) => string): void {
  const file = join(server.folder, 'namegate.yaml');
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

/** Whether another policy, or other certificates, keys, CAs or CRLs, have come into force since this call. */
export function loads(server: Namegate, count = 1): () => boolean {
  const seen = (): number => server.events('policy-loaded').length + server.events('trust-loaded').length;
  const before = seen();
  return () => seen() >= before + count;
}
