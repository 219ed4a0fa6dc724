/** One thing that `doctor` looked at. */
export interface Finding {
  /** What was looked at: stable, for programs. */
  readonly check:
    | 'resolv-conf'
    | 'nameserver'
    | 'identity'
    | 'forwarder'
    | 'search'
    | 'options'
    | 'nsswitch'
    | 'proxy'
    | 'tcp'
    | 'probe'
    | 'firewall';
  /** `bad`: something must be done. `note`: something to know. */
  readonly status: 'ok' | 'bad' | 'note';
  /** One line. */
  readonly message: string;
  /** What to do, one line; null where there is nothing to do. */
  readonly fix: string | null;
}

export function ok(check: Finding['check'], message: string): Finding {
  return { check, status: 'ok', message, fix: null };
}

export function bad(check: Finding['check'], message: string, fix: string): Finding {
  return { check, status: 'bad', message, fix };
}

export function note(check: Finding['check'], message: string, fix: string | null): Finding {
  return { check, status: 'note', message, fix };
}
