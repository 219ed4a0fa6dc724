import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './process.ts';

/**
 * The names that the real peers serve: `example.` with a bit of everything, and `signed.example.` with DNSSEC. Addresses
 * are of the documentation ranges, but for those that stand for DNS rebinding.
 */
const HEAD = `$TTL 120
@ IN SOA ns.example. hostmaster.example. 7 3600 600 86400 60
@ IN NS ns.example.
`;

/** A TXT RRset of 3,600 octets: over 1232, so that UDP cannot carry it. */
const LARGE = Array.from({ length: 18 }, (_, i) => `large IN TXT "${`${i}-`.padEnd(190, 'x')}"`).join('\n');

export const EXAMPLE_ZONE = `$ORIGIN example.
${HEAD}
ns       IN A     127.0.0.1
www      IN A     192.0.2.10
www      IN A     192.0.2.11
www      IN AAAA  2001:db8::10
www      IN TXT   "two" "strings"
WwW.MiXeD IN A    192.0.2.12
v6only   IN AAAA  2001:db8::20
chain    IN CNAME chain1
chain1   IN CNAME chain2
chain2   IN CNAME www
dangling IN CNAME nothing
loop1    IN CNAME loop2
loop2    IN CNAME loop1
*.wild   IN A     192.0.2.30
*.wild   IN TXT   "from the wildcard"
mail     IN MX    10 mx1
mail     IN MX    20 mx2
mx1      IN A     192.0.2.40
mx2      IN A     192.0.2.41
_sip._tcp IN SRV  0 5 5060 sip
sip      IN A     192.0.2.50
caa      IN CAA   0 issue "ca.example"
svc      IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.60
svc      IN A     192.0.2.60
naptr    IN NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@sip.example!" .
sshfp    IN SSHFP 4 2 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
tlsa     IN TLSA  3 1 1 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
unknown  IN TYPE65280 \\# 4 0A000001
private  IN A     10.1.2.3
private  IN AAAA  fd00::1
loopback IN A     127.0.0.1
mixed    IN A     192.0.2.70
mixed    IN A     10.1.2.4
metadata IN A     169.254.169.254
deep.under.it IN A 192.0.2.80
short 1  IN A     192.0.2.90
long 86400 IN A   192.0.2.91
secret   IN A     192.0.2.99
secret   IN TXT   "no client may see this"
${LARGE}
`;

export const SIGNED_ZONE = `$ORIGIN signed.example.
$TTL 120
@ IN SOA ns.signed.example. hostmaster.signed.example. 7 3600 600 86400 60
@ IN NS ns.signed.example.
ns       IN A     127.0.0.1
www      IN A     192.0.2.110
www      IN AAAA  2001:db8::110
chain    IN CNAME www
*.wild   IN A     192.0.2.130
text     IN TXT   "signed"
secret   IN A     192.0.2.199
`;

/** A zone file on disk, and where it is signed, the DNSKEY of its key-signing key for a trust anchor. */
export interface Zone {
  readonly name: string;
  readonly file: string;
  readonly anchor: string | null;
}

/** Signs the zone file in `folder` with fresh ECDSA keys, by ldns. */
export async function sign(folder: string, name: string, file: string): Promise<Zone> {
  const algorithm = ['-a', 'ECDSAP256SHA256'];
  const ksk = (await must(['ldns-keygen', ...algorithm, '-k', name], { cwd: folder })).trim();
  const zsk = (await must(['ldns-keygen', ...algorithm, name], { cwd: folder })).trim();
  await must(['ldns-signzone', '-f', `${file}.signed`, file, ksk, zsk], { cwd: folder });
  if (!readdirSync(folder).includes(`${ksk}.key`)) throw new Error(`no key ${ksk}`);
  return { name, file: join(folder, `${file}.signed`), anchor: join(folder, `${ksk}.key`) };
}
