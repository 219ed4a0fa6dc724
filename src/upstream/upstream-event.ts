/**
 * What the log may say about upstreams. A server's `server-down` and `server-up` come at most once in
 * `Timing.report` each, `sockets-exhausted` at most once in 10 s, so a flood of questions is no flood of lines.
 */
export type UpstreamEvent =
  | {
      /** Two failures or more in a row, or the first good answer after them. `detail`: the last failure. */
      readonly kind: 'server-down' | 'server-up';
      readonly group: string;
      /** As the server file writes it: `udp://192.0.2.1:53`, `tls://[2001:db8::1]:853#dns.example`. */
      readonly server: string;
      readonly detail: string;
    }
  | {
      /**
       * The server answers only questions without OPT (`edns-off`; `detail`: what came of those with it), so that no
       * DNSSEC records come from it; or again those with OPT too.
       */
      readonly kind: 'edns-off' | 'edns-on';
      readonly group: string;
      readonly server: string;
      readonly detail: string;
    }
  | { readonly kind: 'case-folding'; readonly group: string; readonly server: string }
  | {
      /** resolv.conf was read anew. `ours`: those left out because namegate itself listens there. */
      readonly kind: 'system-servers';
      readonly group: string;
      readonly servers: readonly string[];
      readonly ours: readonly string[];
    }
  /** A socket could not be opened: our own bound, or the system's (`EMFILE`, …). */
  | { readonly kind: 'sockets-exhausted'; readonly detail: string };

/** Counts since the start. */
export interface UpstreamCounters {
  questions: number;
  /** Questions that ended in a reply; the others failed. */
  replies: number;
  /** Attempts that went on over TCP: the reply was truncated, cut, or right in all but case, or came under a wrong ID. */
  overTcp: number;
  /** Datagrams that did not match and were passed over: forged, late or broken. */
  mismatched: number;
  probes: number;
}
