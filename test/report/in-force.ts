import { buildInForce, type InForce } from '../../src/resolve/in-force.ts';
import { DEFAULT_BUDGETS } from '../../src/settings/settings.ts';
import { compiled, identity } from '../policy/build.ts';

/** What is in force with identities of these names and no rules. */
export function inForceOf(names: readonly string[]): InForce {
  return buildInForce(
    {
      snapshot: compiled({ identities: names.map((name) => identity(name, {})) }),
      replies: { maxTtl: 300, dynamicMaxTtl: 30, edeText: true, contact: '' },
      cache: { size: 1, maxTtl: 1, serveStale: 1, share: 'all' },
      limits: { inFlight: 1, tcpClients: 1, unknownQps: 1 },
      budgets: DEFAULT_BUDGETS,
      firewall: null,
      keepalive: 1,
      nearMiss: 6,
      designations: [],
      groupIds: [0],
    },
    [{ zones: [] }],
    null,
  );
}
