import { TABLE } from './kernel/elements.ts';

/** A listener of namegate that jobs may reach: `host` null for every address of the machine. */
export interface NamegateAt {
  readonly host: string | null;
  readonly family: 4 | 6 | null;
  readonly l4: 'tcp' | 'udp';
  readonly port: number;
}

export interface SkeletonTerms {
  /** Names of interfaces, perhaps with `*` at the end: what comes in there is judged. */
  readonly interfaces: readonly string[];
  readonly listeners: readonly NamegateAt[];
  /** Prefixes of the machine's own: what its programs send from there is judged. */
  readonly local: readonly string[];
  /** Users whose packets are not judged there: that of the resolver, which asks upstreams. */
  readonly users: readonly number[];
}

/** Names of the sets, by family. */
export const SETS = {
  4: {
    live: 'live4',
    certified: 'certified4',
    prefixes: 'prefixes4',
    quarantined: 'quarantined4',
    grants: 'grants4',
    cut: 'cut4',
  },
  6: {
    live: 'live6',
    certified: 'certified6',
    prefixes: 'prefixes6',
    quarantined: 'quarantined6',
    grants: 'grants6',
    cut: 'cut6',
  },
} as const;

/** NFLOG group that refused packets are told to. */
export const LOG_GROUP = 5300;
const LOG = `log group ${LOG_GROUP} snaplen 96 queue-threshold 16`;

/**
 * A source whose way back is not over the interface that it came in by is forged. Nobody answers it: a refusal holds octets of
 * the packet, and would carry them wherever the forger likes, as would an answer of namegate.
 *
 * The rules as `nft -f` takes them, in one transaction: what the sets hold stays, and so does what is on its way. Rules that
 * stood in the table before are gone. Under another name than ours, `table` judges nothing.
 */
export function skeleton({ interfaces, listeners, local, users }: SkeletonTerms, table = TABLE): string {
  const names = `{ ${interfaces.map((name) => `"${name}"`).join(', ')} }`;
  const from = (then: string): string => (interfaces.length === 0 ? '' : `iifname ${names} ${then}`);
  const towards = (then: string): string => (interfaces.length === 0 ? '' : `oifname ${names} ${then}`);
  const asleep = table === TABLE ? '' : '	flags dormant;';
  return `
table inet ${table} {
${asleep}
}
flush table inet ${table}
table inet ${table} {
${asleep}
${SETS_TEXT}
	chain refuse {
		meta pkttype { broadcast, multicast } drop
		counter name refused
		update @told4 { ip saddr limit rate 50/second burst 100 packets } limit rate 1000/second burst 1000 packets ${LOG}
		update @told6 { ip6 saddr limit rate 50/second burst 100 packets } limit rate 1000/second burst 1000 packets ${LOG}
		meta l4proto tcp reject with tcp reset
		reject with icmpx type admin-prohibited
	}
	chain forged {
		ip6 saddr :: return
		counter name refused drop
	}
	chain translated {
${TRANSLATED}
	}
	chain judge {
		ip option lsrr exists goto refuse
		ip option ssrr exists goto refuse
		exthdr rt exists goto refuse
		ip saddr @quarantined4 goto refuse
		ip6 saddr @quarantined6 goto refuse
		ip saddr != @live4 ip saddr != @certified4 ip saddr != @prefixes4 goto refuse
		ip6 saddr != @live6 ip6 saddr != @certified6 ip6 saddr != @prefixes6 goto refuse
		ct state established accept
		ct state related meta l4proto { icmp, ipv6-icmp } accept
		ct state invalid counter name invalid drop
${accepts(listeners.filter(({ host }) => host !== null))}
		ip saddr . ip daddr . meta l4proto . th dport @grants4 counter name granted accept
		ip6 saddr . ip6 daddr . meta l4proto . th dport @grants6 counter name granted accept
		ct status dnat jump translated
		goto refuse
	}
	chain midstream {
		ct state != new return
		ip daddr . ip saddr . udp dport . udp sport @cut4 update @cut4 { ip daddr . ip saddr . udp dport . udp sport } counter name midstream drop
		ip6 daddr . ip6 saddr . udp dport . udp sport @cut6 update @cut6 { ip6 daddr . ip6 saddr . udp dport . udp sport } counter name midstream drop
		tcp flags & (syn | rst) != 0x0 return
		ip daddr . ip saddr . meta l4proto . th sport @grants4 return
		ip6 daddr . ip6 saddr . meta l4proto . th sport @grants6 return
		meta l4proto tcp counter name midstream reject with tcp reset
	}
	chain judge_leaving {
		${users.length === 0 ? '' : `meta skuid { ${users.join(', ')} } accept`}
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } ip6 hoplimit 255 accept
		icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } ip6 hoplimit 1 accept
		ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
		ip6 daddr { ff02::1:2, fe80::/10 } udp sport 546 udp dport 547 accept
		jump judge
	}
	chain judge_arriving {
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } ip6 hoplimit 255 accept
		icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } ip6 hoplimit 1 accept
		udp sport 68 udp dport 67 accept
		udp sport 546 udp dport 547 accept
${accepts(listeners)}
		jump judge
	}
	chain judge_forwarded {
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
		jump judge
	}
	chain coming {
		type filter hook prerouting priority raw; policy accept;
		${from('fib saddr . iif oif missing goto forged')}
	}
	chain forwarded {
		type filter hook forward priority filter - 10; policy accept;
		${from('jump judge_forwarded')}
		${towards('jump midstream')}
	}
	chain arriving {
		type filter hook input priority filter - 10; policy accept;
		${from('jump judge_arriving')}
	}
	chain leaving {
		type filter hook output priority filter - 10; policy accept;
		oifname "lo" accept
		${towards('jump midstream')}
${([4, 6] as const).map((family) => leaving(local, family)).join('')}
	}
}
`;
}

/** What the machine sends on to another address was granted as the client wrote it. */
const TRANSLATED = ([4, 6] as const)
  .flatMap((family) =>
    ['tcp', 'udp'].map((l4) => {
      const ip = family === 4 ? 'ip' : 'ip6';
      const key = `ct original ${ip} saddr . ct original ${ip} daddr . meta l4proto . ct original proto-dst`;
      return `\t\tmeta l4proto ${l4} ${key} @${SETS[family].grants} counter name granted accept`;
    }),
  )
  .join('\n');

const SETS_TEXT = ([4, 6] as const)
  .map((family) => {
    const { live, certified, prefixes, quarantined, grants, cut } = SETS[family];
    const type = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
    return `	set ${live} {
		type ${type}
		flags timeout
	}
	set ${certified} {
		type ${type}
		flags timeout
	}
	set ${prefixes} {
		type ${type}
		flags interval
		auto-merge
	}
	set ${quarantined} {
		type ${type}
		flags timeout
	}
	set ${grants} {
		type ${type} . ${type} . inet_proto . inet_service
		flags timeout
	}
	set ${cut} {
		type ${type} . ${type} . inet_service . inet_service
		size 262144
		flags dynamic, timeout
		timeout 1h
	}
	set told${family} {
		type ${type}
		size 16384
		flags dynamic, timeout
		timeout 1m
	}`;
  })
  .join('\n')
  .concat(
    '\n	counter refused {\n	}\n	counter granted {\n	}\n	counter midstream {\n	}\n	counter invalid {\n	}',
  );

/** What the machine's own programs send from one of these prefixes. */
function leaving(local: readonly string[], family: 4 | 6): string {
  const own = local.filter((text) => text.includes(':') === (family === 6));
  const set = `{ ${own.join(', ')} }`;
  return own.length === 0 ? '' : `\t\t${family === 6 ? 'ip6' : 'ip'} saddr ${set} jump judge_leaving\n`;
}

/** Questions to namegate itself pass from everybody: it answers who is unknown too. */
function accepts(listeners: readonly NamegateAt[]): string {
  const lines = listeners.map(({ host, family, l4, port }) => {
    if (host !== null) return `${family === 6 ? 'ip6' : 'ip'} daddr ${host} ${l4} dport ${port} accept`;
    return `${family === null ? '' : `meta nfproto ipv${family} `}${l4} dport ${port} accept`;
  });
  return [...new Set(lines)].map((line) => `\t\t${line}`).join('\n');
}
