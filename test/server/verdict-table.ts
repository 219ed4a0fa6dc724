/**
 * What each client sees under the policy of verdicts.ts, by its address: a question (`-`: without OPT), and the whole reply to it. `~` stands for an SOA of our own
 * behind its owner. What an identity may not see is not asked about either: `ASKED` is all that may go upstream.
 */
const TEXT = String.raw`
from 127.0.0.11
www.corp.example A => NOERROR QR RD RA | answer www.corp.example. 300 A 198.51.100.1, www.corp.example. 300 A 198.51.100.2 | opt
www.corp.example A - => NOERROR QR RD RA | answer www.corp.example. 300 A 198.51.100.1, www.corp.example. 300 A 198.51.100.2
www.corp.example A AD => NOERROR QR RD RA | answer www.corp.example. 300 A 198.51.100.1, www.corp.example. 300 A 198.51.100.2 | opt
www.corp.example AAAA => NOERROR QR RD RA | answer www.corp.example. 60 AAAA 2001:db9:0:0:0:0:0:1 | opt
www.corp.example HTTPS => NOERROR QR RD RA | answer www.corp.example. 60 HTTPS 00010000040004c6336401 | opt
www.corp.example TXT => NOERROR QR AA RD RA | authority www.corp.example. ~ | opt EDE 15 "build: type not approved; ask team-web"
www.corp.example ANY => NOERROR QR AA RD RA | answer www.corp.example. 300 HINFO "RFC8482" "" | opt
far.down.below.corp.example A => NOERROR QR RD RA | answer far.down.below.corp.example. 20 A 198.51.100.3 | opt
down.below.corp.example A => NOERROR QR AA RD RA | authority down.below.corp.example. ~ | opt
corp.example NS => NOERROR QR AA RD RA | authority corp.example. ~ | opt
. NS => NOERROR QR AA RD RA | authority . ~ | opt
nope.corp.example A => NXDOMAIN QR AA RD RA | authority corp.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
nope.corp.example A - => NXDOMAIN QR AA RD RA | authority corp.example. ~
x.y.nope.corp.example ANY => NXDOMAIN QR AA RD RA | authority corp.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
www.corp.example.evil A => NXDOMAIN QR AA RD RA | authority . ~ | opt EDE 15 "build: name not approved; ask team-build"
wwww.corp.example A => NXDOMAIN QR AA RD RA | authority corp.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
www\.corp.example A => NXDOMAIN QR AA RD RA | authority example. ~ | opt EDE 15 "build: name not approved; ask team-build"
a.www.corp.example A => NXDOMAIN QR AA RD RA | authority www.corp.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
x.search.example A => NXDOMAIN QR AA RD RA | authority example. ~ | opt EDE 15 "build: search-list miss, the name without the suffix is tried next; ask team-build"
one.cdn.example A => NOERROR QR RD RA | answer one.cdn.example. 60 A 198.51.100.4 | opt
one.cdn.example HTTPS => NOERROR QR AA RD RA | authority one.cdn.example. ~ | opt EDE 15 "build: type not approved; ask team-web"
cdn.example A => NOERROR QR AA RD RA | authority cdn.example. ~ | opt
two.one.cdn.example A => NXDOMAIN QR AA RD RA | authority one.cdn.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
a.b.any.example A => NOERROR QR RD RA | answer a.b.any.example. 60 A 198.51.100.5 | opt
a.b.c.any.example A => NXDOMAIN QR AA RD RA | authority b.c.any.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
abcdefghi.any.example A => NXDOMAIN QR AA RD RA | authority any.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
any.example A => NOERROR QR AA RD RA | authority any.example. ~ | opt
n7.pool.example A => NOERROR QR RD RA | answer n7.pool.example. 60 A 198.51.100.6 | opt
n07.pool.example A => NXDOMAIN QR AA RD RA | authority pool.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
n20.pool.example A => NXDOMAIN QR AA RD RA | authority pool.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
v08x.pool.example A => NOERROR QR RD RA | answer v08x.pool.example. 60 A 198.51.100.7 | opt
v8x.pool.example A => NXDOMAIN QR AA RD RA | authority pool.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
v13x.pool.example A => NXDOMAIN QR AA RD RA | authority pool.example. ~ | opt EDE 15 "build: name not approved; ask team-build"
alias.corp.example A => NOERROR QR RD RA | answer alias.corp.example. 60 CNAME first.elsewhere.example., first.elsewhere.example. 30 CNAME last.elsewhere.example., last.elsewhere.example. 60 A 198.51.100.8 | opt
last.elsewhere.example DS DO => NXDOMAIN QR AA RD RA | authority example. ~ | opt DO EDE 15 "build: name not approved; ask team-build"
# The chain of a written-out name opens nothing that the policy does not approve, for a validator either.
alias.corp.example A DO => NOERROR QR RD RA | answer alias.corp.example. 60 CNAME first.elsewhere.example., first.elsewhere.example. 30 CNAME last.elsewhere.example., last.elsewhere.example. 60 A 198.51.100.8 | opt DO
last.elsewhere.example DS DO => NXDOMAIN QR AA RD RA | authority example. ~ | opt DO EDE 15 "build: name not approved; ask team-build"
last.elsewhere.example DS => NXDOMAIN QR AA RD RA | authority example. ~ | opt EDE 15 "build: name not approved; ask team-build"
alias.corp.example CNAME => NOERROR QR RD RA | answer alias.corp.example. 60 CNAME first.elsewhere.example. | opt
last.elsewhere.example A => NXDOMAIN QR AA RD RA | authority example. ~ | opt EDE 15 "build: name not approved; ask team-build"
gone.corp.example A => NXDOMAIN QR RD RA | authority corp.example. 60 SOA ns.corp.example. admin.corp.example. 1 2 3 4 60 | opt
above.corp.example A => NOERROR QR RD RA | authority corp.example. 60 SOA ns.corp.example. admin.corp.example. 1 2 3 4 60 | opt
xn--bcher-kva.example A => NOERROR QR RD RA | answer xn--bcher-kva.example. 60 A 198.51.100.9 | opt
mail.corp.example MX => NOERROR QR RD RA | answer mail.corp.example. 60 MX 10 mx.corp.example. | opt
mail.corp.example TXT => NOERROR QR RD RA | answer mail.corp.example. 60 TXT "v=spf1" | opt
mail.corp.example A => NOERROR QR AA RD RA | authority mail.corp.example. ~ | opt EDE 15 "build: type not approved; ask team-mail"
stray.corp.example MX => NOERROR QR AA RD RA | authority stray.corp.example. ~ | opt EDE 15 "build: answer led to a name that is not approved; ask team-build"
_sip._tcp.corp.example SRV => NOERROR QR RD RA | answer _sip._tcp.corp.example. 60 SRV 0 0 5060 svc.corp.example. | opt
in.corp.example A => NOERROR QR RD RA | answer in.corp.example. 60 A 10.0.0.1 | opt
loop.corp.example A => NOERROR QR AA RD RA | authority loop.corp.example. ~ | opt EDE 15 "build: answer held an address that the rule does not grant; ask team-net"
in2.corp.example A => NOERROR QR AA RD RA | authority in2.corp.example. ~ | opt EDE 15 "build: answer held an address that the rule does not grant; ask team-net"
meta.corp.example A => NOERROR QR RD RA | answer meta.corp.example. 60 A 169.254.169.254 | opt
mirror.list.example A => NOERROR QR RD RA | answer mirror.list.example. 60 A 198.51.100.12 | opt
any.star.list.example A => NOERROR QR RD RA | answer any.star.list.example. 60 A 198.51.100.17 | opt
ended.corp.example A => NXDOMAIN QR AA RD RA | authority corp.example. ~ | opt EDE 15 "build: its approval has ended; ask team-web"
extra.corp.example A => NOERROR QR RD RA | answer extra.corp.example. 30 A 198.51.100.15 | opt
local.corp.example A => NOERROR QR AA RD RA | answer local.corp.example. 60 A 10.1.2.3, local.corp.example. 60 A 10.1.2.4 | opt
local.corp.example TXT => NOERROR QR AA RD RA | answer local.corp.example. 60 TXT "written" "here" | opt
local.corp.example AAAA => NOERROR QR AA RD RA | authority local.corp.example. ~ | opt
local.corp.example MX => NOERROR QR AA RD RA | authority local.corp.example. ~ | opt EDE 15 "build: type not approved; ask team-net"
moved.corp.example A => NOERROR QR AA RD RA | answer moved.corp.example. 300 CNAME local.corp.example., local.corp.example. 60 A 10.1.2.3, local.corp.example. 60 A 10.1.2.4 | opt
moved.corp.example CNAME => NOERROR QR AA RD RA | answer moved.corp.example. 300 CNAME local.corp.example. | opt
twice.corp.example TXT => NOERROR QR AA RD RA | answer twice.corp.example. 300 CNAME moved.corp.example., moved.corp.example. 300 CNAME local.corp.example., local.corp.example. 60 TXT "written" "here" | opt
twice.corp.example AAAA => NOERROR QR AA RD RA | answer twice.corp.example. 300 CNAME moved.corp.example., moved.corp.example. 300 CNAME local.corp.example. | authority . ~ | opt
fetched.corp.example A => NOERROR QR AA RD RA | answer fetched.corp.example. 300 CNAME mirror.elsewhere.example., mirror.elsewhere.example. 90 A 198.51.100.14 | opt
mirror.elsewhere.example A => NXDOMAIN QR AA RD RA | authority example. ~ | opt EDE 15 "build: name not approved; ask team-build"
signed.corp.example A => NOERROR QR RD RA | answer signed.corp.example. 60 A 198.51.100.16 | opt
signed.corp.example A DO => NOERROR QR RD RA | answer signed.corp.example. 60 A 198.51.100.16, signed.corp.example. 60 RRSIG A 3 corp.example. | opt DO
signed.corp.example A CD => NOERROR QR RD RA CD | answer signed.corp.example. 60 A 198.51.100.16 | opt
signed.corp.example AAAA => NOERROR QR RD RA | authority corp.example. 60 SOA ns.corp.example. admin.corp.example. 1 2 3 4 60 | opt
signed.corp.example AAAA DO => NOERROR QR RD RA | authority corp.example. 60 SOA ns.corp.example. admin.corp.example. 1 2 3 4 60, corp.example. 60 RRSIG SOA 2 corp.example., signed.corp.example. 60 NSEC 017404636f7270076578616d706c6500000140, signed.corp.example. 60 RRSIG NSEC 3 corp.example. | opt DO
corp.example DS => NOERROR QR AA RD RA | authority corp.example. ~ | opt
corp.example DS DO => NOERROR QR RD RA | authority corp.example. 60 SOA ns.corp.example. admin.corp.example. 1 2 3 4 60 | opt DO
denied.example DS DO => NXDOMAIN QR AA RD RA | authority example. ~ | opt DO EDE 15 "build: name not approved; ask team-build"
localhost A => NOERROR QR AA RD RA | answer localhost. 300 A 127.0.0.1 | opt
resolver.arpa SVCB => NOERROR QR AA RD RA | authority resolver.arpa. ~ | opt
use-application-dns.net A => NXDOMAIN QR AA RD RA | authority . ~ | opt EDE 15 "build: special name; ask team-build"
4.3.2.10.in-addr.arpa PTR => NXDOMAIN QR AA RD RA | authority arpa. ~ | opt EDE 15 "build: name not approved; ask team-build"
denied.example._why.namegate.internal TXT => NOERROR QR AA RD RA | answer denied.example._why.namegate.internal. 0 TXT "denied.example A: deny for build; name not approved; ask team-build" | opt
www.corp.example AXFR => REFUSED QR RD RA | opt
www.corp.example IXFR => REFUSED QR RD RA | opt

from 127.0.0.13
www.corp.example A => NOERROR QR RD RA | answer www.corp.example. 300 A 198.51.100.1, www.corp.example. 300 A 198.51.100.2 | opt

# Audit: what would be denied is resolved. The address filter, special names and private reverse zones stay.
from 127.0.0.12
mx.corp.example A => NOERROR QR RD RA | answer mx.corp.example. 60 A 198.51.100.10 | opt
denied.example A => NOERROR QR RD RA | answer denied.example. 60 A 198.51.100.66 | opt
www.corp.example TXT => NOERROR QR RD RA | answer www.corp.example. 60 TXT "secret" | opt
in.corp.example A => NOERROR QR AA RD RA | authority corp.example. ~ | opt EDE 15 "audited: answer held an address that the rule does not grant; ask team-audit"
use-application-dns.net A => NXDOMAIN QR AA RD RA | authority . ~ | opt EDE 15 "audited: special name; ask team-audit"
1.0.0.10.in-addr.arpa PTR => NXDOMAIN QR AA RD RA | authority arpa. ~ | opt EDE 15 "audited: name not approved; ask team-audit"

from 127.0.1.9
last.elsewhere.example DS DO => NXDOMAIN QR AA RD RA | authority example. ~ | opt DO EDE 15 "site: name not approved; ask team-site"
www.corp.example A => NOERROR QR RD RA | answer www.corp.example. 300 A 198.51.100.1, www.corp.example. 300 A 198.51.100.2 | opt
mx.corp.example A => NXDOMAIN QR AA RD RA | authority corp.example. ~ | opt EDE 15 "site: name not approved; ask team-site"

# The longest prefix decides alone.
from 127.0.1.7
www.corp.example A => NXDOMAIN QR AA RD RA | authority corp.example. ~ | opt EDE 15 "pinned: name not approved; ask team-pinned"
mx.corp.example A => NOERROR QR RD RA | answer mx.corp.example. 60 A 198.51.100.10 | opt

from ::1
www.corp.example A => NOERROR QR RD RA | answer www.corp.example. 300 A 198.51.100.1, www.corp.example. 300 A 198.51.100.2 | opt
www.corp.example HTTPS => NOERROR QR AA RD RA | authority www.corp.example. ~ | opt EDE 15 "six: type not approved; ask team-six"
local.corp.example A => NXDOMAIN QR AA RD RA | authority corp.example. ~ | opt EDE 15 "six: name not approved; ask team-six"

# No identity: a tree without names. There is no contact to ask.
from 127.0.0.99
www.corp.example A => NXDOMAIN QR AA RD RA | authority . ~ | opt EDE 15 "namegate sees you as 127.0.0.99; no identity has it"
local.corp.example A => NXDOMAIN QR AA RD RA | authority . ~ | opt EDE 15 "namegate sees you as 127.0.0.99; no identity has it"
corp.example A => NXDOMAIN QR AA RD RA | authority . ~ | opt EDE 15 "namegate sees you as 127.0.0.99; no identity has it"
corp.example DS DO => NXDOMAIN QR AA RD RA | authority . ~ | opt DO EDE 15 "namegate sees you as 127.0.0.99; no identity has it"
. A => NOERROR QR AA RD RA | authority . ~ | opt
localhost AAAA => NOERROR QR AA RD RA | answer localhost. 300 AAAA 0:0:0:0:0:0:0:1 | opt
a.b.localhost A => NOERROR QR AA RD RA | answer a.b.localhost. 300 A 127.0.0.1 | opt
www.corp.example._why.namegate.internal TXT => NOERROR QR AA RD RA | answer www.corp.example._why.namegate.internal. 0 TXT "www.corp.example A: deny for unknown; namegate sees you as 127.0.0.99; no identity has it" | opt
`;

/** The table's rows. */
export const TABLE: readonly { readonly from: string; readonly rows: readonly Row[] }[] = TEXT.split(
  '\nfrom ',
)
  .slice(1)
  .map((block) => {
    const [from = '', ...lines] = block.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return { from, rows: lines.map(readRow) };
  });

export interface Row {
  readonly question: string;
  readonly expected: string;
}

function readRow(line: string): Row {
  const [question = '', expected] = line.split(' => ');
  if (expected === undefined) throw new Error(`no row: ${line}`);
  return { question, expected };
}

/** All that may have gone upstream, each once: equal questions of several identities share an answer. */
export const ASKED = `
www.corp.example. A, www.corp.example. AAAA, www.corp.example. HTTPS, www.corp.example. TXT,
far.down.below.corp.example. A, one.cdn.example. A, a.b.any.example. A, n7.pool.example. A, v08x.pool.example. A,
alias.corp.example. A, alias.corp.example. CNAME, gone.corp.example. A, above.corp.example. A, xn--bcher-kva.example. A,
mail.corp.example. MX, mail.corp.example. TXT, stray.corp.example. MX, _sip._tcp.corp.example. SRV, in.corp.example. A,
loop.corp.example. A, in2.corp.example. A, meta.corp.example. A, mirror.list.example. A, any.star.list.example. A,
extra.corp.example. A, mirror.elsewhere.example. A, signed.corp.example. A, signed.corp.example. AAAA, corp.example. DS,
mx.corp.example. A, denied.example. A, signed.corp.example. A CD`
  .trim()
  .split(/,\s+/)
  .sort();
