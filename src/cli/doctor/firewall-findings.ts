import { readFileSync } from 'node:fs';
import type { EnforceLoad } from '../../config/load-enforce.ts';
import { inspectRules, type RulesState } from '../../enforce/inspect.ts';
import { NetfilterExchange } from '../../enforce/kernel/netlink-exchange.ts';
import { runNft } from '../../enforce/kernel/nft.ts';
import { termsOf } from '../process/enforce-terms.ts';
import { bad, type Finding, note, ok } from './finding.ts';

const EPERM = 1;

/** Flags of a socket that is listened on, in /proc/net/unix. */
const LISTENING = '00010000';

/** What the firewall of the server file is worth on this machine; nothing where there is none. */
export function firewallFindings(read: EnforceLoad): Finding[] {
  const { setting } = read;
  // With feeds alone others keep it, elsewhere.
  if (setting === null || setting.socket === null) return [];
  const { socket } = setting;
  const isKept = isListening(socket);
  const keeper = isKept
    ? ok('firewall', `namegate enforce listens on ${socket}`)
    : bad(
        'firewall',
        `nobody keeps the firewall: no process listens on ${socket}`,
        'start namegate enforce in the network namespace that forwards the packets of clients',
      );
  return [keeper, rulesFinding(read, isKept)];
}

function rulesFinding(read: EnforceLoad, isKept: boolean): Finding {
  const exchange = NetfilterExchange.open();
  if (typeof exchange === 'string')
    return note('firewall', `the rules cannot be looked at: ${exchange}`, null);
  try {
    const state = inspectRules(exchange, runNft, termsOf(read.setting!, read));
    if (state === 'good') return ok('firewall', 'the rules of the firewall are as they were written');
    const fix = isKept
      ? 'namegate enforce mends them within a second; where this stays, look at its log, and send it SIGHUP after a change of the server file'
      : 'start namegate enforce: it writes them again';
    return bad('firewall', BAD[state], fix);
  } catch (error) {
    const { errno, message } = error as Error & { readonly errno?: number };
    return errno === EPERM || /Operation not permitted/.test(message)
      ? note(
          'firewall',
          'the rules of the firewall were not looked at: that needs CAP_NET_ADMIN',
          'run it as root',
        )
      : bad(
          'firewall',
          `the rules of the firewall cannot be looked at: ${message}`,
          'see namegate enforce --check',
        );
  } finally {
    exchange.close();
  }
}

const BAD: Readonly<Record<Exclude<RulesState, 'good'>, string>> = {
  gone: 'the rules of the firewall are gone: clients connect to what they like',
  changed: 'the rules of the firewall are not those of the server file: somebody changed one of the two',
  asleep: 'the table inet namegate is dormant: clients connect to what they like',
};

/** Asks no process: whoever connects to the socket takes the place of the server. */
function isListening(path: string): boolean {
  try {
    return readFileSync('/proc/net/unix', 'latin1')
      .split('\n')
      .some((line) => line.endsWith(` ${path}`) && line.split(/\s+/)[3] === LISTENING);
  } catch {
    return false;
  }
}
