import { type Script, zone } from './upstream.ts';

/** One policy with every feature of the language, and the world outside that it is asked about. */

export const LIST = `# long lists stand in plain text
mirror.list.example   # with a comment
*.star.list.example
`;

export const POLICY = `
destinations:
  web:
    owner: team-web
    reason: what builds fetch
    names:
      - www.corp.example
      - far.down.below.corp.example
      - "*.cdn.example"
      - { name: "**.any.example", max_labels: 2, max_label_length: 8 }
      - "n{0..19}.pool.example"
      - "v{08..12}x.pool.example"
      - alias.corp.example
      - gone.corp.example
      - above.corp.example
      - child.above.corp.example
      - bücher.example
      - signed.corp.example
      - large.corp.example
  mail:
    owner: team-mail
    reason: what mail needs
    types: [MX, SRV, TXT]
    names: [mail.corp.example, _sip._tcp.corp.example, stray.corp.example]
  mailhost:
    owner: team-mail
    reason: where mail goes
    names: [mx.corp.example]
  inside:
    owner: team-net
    reason: services inside
    private: true
    names: [in.corp.example, loop.corp.example]
  outside:
    owner: team-net
    reason: the same hosts without the grant
    names: [in2.corp.example, svc.corp.example]
  metadata:
    owner: team-net
    reason: the metadata service
    private: [169.254.169.254/32]
    names: [meta.corp.example]
  lists:
    owner: team-web
    reason: mirrors
    names_from: [lists/mirrors.txt]
  ended:
    owner: team-web
    reason: over since long
    until: 2020-01-01T00:00:00Z
    names: [ended.corp.example]
  locals:
    owner: team-net
    reason: written here
    names: [local.corp.example, moved.corp.example, twice.corp.example, fetched.corp.example]
    types: [A, AAAA, TXT, CNAME, HTTPS]
identities:
  - name: build
    owner: team-build
    review_by: 2099-01-01
    from: { addresses: [127.0.0.11, 127.0.0.13] }
    search: [search.example]
    allow: [web, mail, mailhost, inside, outside, metadata, lists, ended, locals]
    exceptions:
      - { name: extra.corp.example, until: 2099-01-01T00:00:00Z, reason: "CHG-1", approved_by: sec }
  - name: audited
    owner: team-audit
    review_by: 2099-01-01
    from: { addresses: [127.0.0.12] }
    mode: audit
    audit_until: 2099-01-01
    allow: [mailhost]
  - name: site
    owner: team-site
    review_by: 2099-01-01
    from: { addresses: [127.0.1.0/24] }
    allow: [{ name: www.corp.example, reason: the site }]
  - name: pinned
    owner: team-pinned
    review_by: 2099-01-01
    from: { addresses: [127.0.1.7] }
    allow: [{ name: mx.corp.example, reason: one host }]
  - name: six
    owner: team-six
    review_by: 2099-01-01
    from: { addresses: ["::1"] }
    allow: [{ name: www.corp.example, types: [A, AAAA], reason: IPv6 client }]
records:
  - { name: local.corp.example, type: A, data: 10.1.2.3, ttl: 120 }
  - { name: local.corp.example, type: A, data: 10.1.2.4, ttl: 60 }
  - { name: local.corp.example, type: TXT, data: '"written" "here"' }
redirects:
  - { name: moved.corp.example, to: local.corp.example }
  - { name: twice.corp.example, to: moved.corp.example }
  - { name: fetched.corp.example, to: mirror.elsewhere.example }
`;

/** The world outside. What no policy names is there too: it must not be asked about. */
const WORLD = zone('corp.example.', [
  'www.corp.example. 3600 A 198.51.100.1',
  'www.corp.example. 3600 A 198.51.100.2',
  'www.corp.example. 60 AAAA 2001:db9::1',
  'www.corp.example. 60 HTTPS 1 . 198.51.100.1',
  'www.corp.example. 60 TXT secret',
  'far.down.below.corp.example. 20 A 198.51.100.3',
  'one.cdn.example. 60 A 198.51.100.4',
  'a.b.any.example. 60 A 198.51.100.5',
  'n7.pool.example. 60 A 198.51.100.6',
  'v08x.pool.example. 60 A 198.51.100.7',
  'alias.corp.example. 60 CNAME first.elsewhere.example.',
  'first.elsewhere.example. 30 CNAME last.elsewhere.example.',
  'last.elsewhere.example. 60 A 198.51.100.8',
  'xn--bcher-kva.example. 60 A 198.51.100.9',
  'mail.corp.example. 60 MX 10 mx.corp.example.',
  'mail.corp.example. 60 TXT v=spf1',
  '_sip._tcp.corp.example. 60 SRV 0 0 5060 svc.corp.example.',
  'stray.corp.example. 60 MX 10 mx.corp.example.',
  'stray.corp.example. 60 MX 20 mx.evil.example.',
  'mx.corp.example. 60 A 198.51.100.10',
  'in.corp.example. 60 A 10.0.0.1',
  'loop.corp.example. 60 A 10.0.0.1',
  'loop.corp.example. 60 A 127.0.0.1',
  'in2.corp.example. 60 A 198.51.100.11',
  'in2.corp.example. 60 A 10.0.0.1',
  'meta.corp.example. 60 A 169.254.169.254',
  'mirror.list.example. 60 A 198.51.100.12',
  'any.star.list.example. 60 A 198.51.100.17',
  'ended.corp.example. 60 A 198.51.100.13',
  'mirror.elsewhere.example. 90 A 198.51.100.14',
  'extra.corp.example. 3600 A 198.51.100.15',
  'signed.corp.example. 60 A 198.51.100.16',
  ...Array.from({ length: 100 }, (_, i) => `large.corp.example. 60 A 198.51.101.${i}`),
  'denied.example. 60 A 198.51.100.66',
  'mx.evil.example. 60 A 198.51.100.66',
]);

/**
 * Answers from `WORLD`, and adds to each reply what was not asked for: no client may see that. `signed.corp.example` is
 * signed, its absence of data too.
 */
export const world: Script = (seen, to) =>
  WORLD(seen, {
    ...to,
    reply: ({ answer = [], authority = [], ...rest }) =>
      to.reply({
        ...rest,
        answer: [...answer, ...signatures(seen.name, answer), 'smuggled.example. 60 A 198.51.100.67'],
        authority: [
          ...authority,
          ...signatures(seen.name, authority),
          ...(seen.name === 'signed.corp.example.' && authority.length > 0
            ? [
                'signed.corp.example. 60 NSEC t.corp.example.',
                'signed.corp.example. 60 RRSIG NSEC 3 corp.example.',
              ]
            : []),
          'corp.example. 60 NS ns.evil.example.',
        ],
        additional: ['ns.evil.example. 60 A 198.51.100.68', 'www.corp.example. 60 A 198.51.100.69'],
      }),
  });

function signatures(name: string, records: readonly string[]): string[] {
  if (name !== 'signed.corp.example.') return [];
  return records.map((record) => {
    const [owner = '', ttl = '', type = ''] = record.split(' ');
    return `${owner} ${ttl} RRSIG ${type} ${owner.split('.').length - 1} corp.example.`;
  });
}
