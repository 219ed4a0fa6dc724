import type { SetElements } from './elements.ts';

/** One thing that this kernel can or cannot. */
export interface KernelFinding {
  readonly name: string;
  readonly good: boolean;
  /** Nothing is enforced without. */
  readonly needed: boolean;
  readonly text: string;
}

/** What whoever may not look at the rules is told. */
export const NO_RIGHTS =
  'this needs CAP_NET_ADMIN in the network namespace: run it as root, or from its systemd unit';

/** The table that it is tried in: that of a running enforcer is not touched. */
export const PROBE_TABLE = 'namegate_probe';

/**
 * Tries what the rules are made of, in a table of its own that is gone again when this returns. `elements`: of PROBE_TABLE.
 * `nft` runs a script and says what is wrong, or null.
 */
export function probeKernel(elements: SetElements, nft: (script: string) => string | null): KernelFinding[] {
  const found: KernelFinding[] = [];
  const note = (name: string, needed: boolean, wrong: string | null, good: string): void => {
    found.push({ name, good: wrong === null, needed, text: wrong ?? good });
  };
  const set = `table inet ${PROBE_TABLE} {
	set ${PROBE} {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
		flags timeout
	}
}
`;
  const sets = nft(set);
  if (sets !== null && /Operation not permitted/.test(sets)) {
    note('rights', true, NO_RIGHTS, '');
    return found;
  }
  note('sets with timeout and concatenation', true, sets, 'elements end by themselves');
  if (sets === null) {
    const key = Buffer.from([192, 0, 2, 1, 192, 0, 2, 2, 6, 0, 0, 0, 1, 187, 0, 0]);
    const errno = elements.probe(PROBE, key);
    note(
      'elements by netlink',
      true,
      errno === 0 ? null : `the kernel refuses them (errno ${errno})`,
      'added and listed',
    );
    if (errno === 0) {
      note(
        'refresh',
        false,
        elements.refreshes ? null : 'an element is taken out and put in again',
        'an element gets another end in place',
      );
      note(
        'destroy',
        false,
        elements.destroys ? null : 'before Linux 6.3: elements go one by one',
        'an element may go that is not there',
      );
    }
  }
  const rules = `table inet ${PROBE_TABLE} {
	set told {
		type ipv4_addr
		size 16
		flags dynamic, timeout
		timeout 1m
	}
	chain ${PROBE} {
		ct state established accept
		update @told { ip saddr limit rate 50/second burst 100 packets } log group 5300
		meta l4proto tcp reject with tcp reset
		reject with icmpx type admin-prohibited
	}
}
`;
  note('connection tracking, NFLOG and reject', true, nft(rules), 'packets are judged, told and refused');
  const headers = `table inet ${PROBE_TABLE} {
	chain coming {
		type filter hook prerouting priority raw
		fib saddr . iif oif missing drop
	}
	chain options {
		ip option lsrr exists drop
		exthdr rt exists drop
		meta l4proto tcp ct status dnat ct original ip saddr . ct original proto-dst { 192.0.2.1 . 443 } drop
	}
}
`;
  note('routes back, options and translations', true, nft(headers), 'forged sources and routes are seen');
  nft(`table inet ${PROBE_TABLE} {\n}\ndelete table inet ${PROBE_TABLE}\n`);
  return found;
}

const PROBE = 'probe';
