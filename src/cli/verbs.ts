import type { Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** In the order of the help. A summary is the verb's own description, so that the help of the program loads no verb. */
export const VERBS = {
  serve: {
    summary: 'Serve DNS until SIGTERM or SIGINT; SIGHUP reloads.',
    load: async () => (await import('./process/serve-verb.ts')).serveVerb,
  },
  init: {
    summary: 'Write a small server file and policy to begin with. Nothing is overwritten.',
    load: async () => (await import('./policy/init-verb.ts')).initVerb,
  },
  check: {
    summary:
      'Read the config as the server would; print every problem, and what each pattern matches. Exits 1 for errors.',
    load: async () => (await import('./policy/check-verb.ts')).checkVerb,
  },
  explain: {
    summary:
      'Say how a question would be answered, by which rule, and whom to ask. Exits 0 for allow and local, else 1.',
    load: async () => (await import('./policy/explain-verb.ts')).explainVerb,
  },
  query: {
    summary:
      'Ask a DNS server one question, and print what it says and why. Exits 0 for NOERROR, 1 for another RCODE or no answer.',
    load: async () => (await import('./query/query-verb.ts')).queryVerb,
  },
  schema: {
    summary: 'Print the JSON Schema of the server file or of policy files.',
    load: async () => (await import('./policy/schema-verb.ts')).schemaVerb,
  },
  lease: {
    summary: 'Open, advance, end and list leases of a running server.',
    load: async () => (await import('./admin/lease-verb.ts')).leaseVerb,
  },
  exception: {
    summary: 'Add, revoke and list time-boxed exceptions of a running server.',
    load: async () => (await import('./admin/exception-verb.ts')).exceptionVerb,
  },
  ledger: {
    summary: 'Show what jobs have put upstream through wildcards, and reset it.',
    load: async () => (await import('./admin/ledger-verb.ts')).ledgerVerb,
  },
  grants: {
    summary: 'Print what each client may connect to because it was answered.',
    load: async () => (await import('./admin/grants-verb.ts')).grantsVerb,
  },
  alerts: {
    summary: 'Show the sinks of the alert feed, try them, and send events again.',
    load: async () => (await import('./admin/alerts-verb.ts')).alertsVerb,
  },
  findings: {
    summary: 'Print what a person should know: findings of the last 30 days, those seen last first.',
    load: async () => (await import('./admin/findings-verb.ts')).findingsVerb,
  },
  report: {
    summary:
      'Say what a job asked, was given and was refused. Exits 1 with --fail-on where it must not be, 3 where it cannot be known.',
    load: async () => (await import('./history/report-verb.ts')).reportVerb,
  },
  tail: {
    summary: 'Print decisions as they are made, until it is interrupted.',
    load: async () => (await import('./history/tail-verb.ts')).tailVerb,
  },
  top: {
    summary: 'Show which identities and names were asked most in the last minutes, and what was denied.',
    load: async () => (await import('./history/top-verb.ts')).topVerb,
  },
  history: {
    summary:
      'Print who asked for a name or was given an address. With a list of indicators exits 1 on a hit.',
    load: async () => (await import('./history/history-verb.ts')).historyVerb,
  },
  review: {
    summary: 'Print what of the policy is used, when last and by how many jobs, and what is not.',
    load: async () => (await import('./history/review-verb.ts')).reviewVerb,
  },
  dependencies: {
    summary:
      'Print what each identity needs at each stage: when it was used last, whether it fails, and what to do then.',
    load: async () => (await import('./history/dependencies-verb.ts')).dependenciesVerb,
  },
  identity: {
    summary: 'List identities, and show what one may resolve, from the config files.',
    load: async () => (await import('./policy/identity-verb.ts')).identityVerb,
  },
  suggest: {
    summary: 'Turn what an identity was refused into a policy file that stands beside the present one.',
    load: async () => (await import('./learn/suggest-verb.ts')).suggestVerb,
  },
  try: {
    summary: 'Decide every question of the history under another policy, and print what would change.',
    load: async () => (await import('./learn/try-verb.ts')).tryVerb,
  },
  doctor: {
    summary:
      'Run inside a job: is namegate its only way to resolve names? Exits 0 when all is well, 1 when something must be done.',
    load: async () => (await import('./doctor/doctor-verb.ts')).doctorVerb,
  },
  stub: {
    summary:
      "Run beside a container: listen on loopback for its resolver, and ask namegate over mutual TLS with the container's certificate. It asks nobody else.",
    load: async () => (await import('./process/stub-verb.ts')).stubVerb,
  },
  enforce: {
    summary:
      'Keep the firewall: clients connect to what namegate answered to them, and to nothing else. Needs CAP_NET_ADMIN.',
    load: async () => (await import('./process/enforce-verb.ts')).enforceVerb,
  },
} as const satisfies Readonly<Record<string, Outline>>;

export type Verb = keyof typeof VERBS;

/** A verb before it is loaded. */
interface Outline {
  readonly summary: string;
  readonly load: () => Promise<(terminal: Terminal) => Command>;
}

export function isVerb(word: string): word is Verb {
  return Object.hasOwn(VERBS, word);
}
