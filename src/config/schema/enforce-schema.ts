import { z } from 'zod';
import { FORM } from '../units.ts';
import { list, NAMES, text } from './schema-parts.ts';

/** `tcp/443`, `udp/53`, `tcp/8000-8010`. */
const PORT_FORM = '^(tcp|udp)/[0-9]{1,5}(-[0-9]{1,5})?$';
/** Linux' IFNAMSIZ, less its final NUL; what a rule may hold between quotes. */
const INTERFACE_FORM = '^[A-Za-z0-9_.@-]{1,15}\\*?$';

/** Ports of a rule, and the server's default. */
export function ports(description: string): z.ZodArray<z.ZodString> {
  return list(
    text('a port', 'tcp/ or udp/, and a port or a range.', PORT_FORM, 'tcp/443', 'tcp/8000-8010'),
    'a list of ports',
    description,
  ).min(1);
}

function path(description: string, example: string): z.ZodOptional<z.ZodString> {
  return text('a path', `tls:// alone: ${description} Relative to this file.`, null, example).optional();
}

const feed = z
  .strictObject({
    name: text('a name', 'Its name in the log.', NAMES, 'edge-firewall'),
    on: text(
      'a place',
      'unix: and a path, for processes of the same user; or tls://, an address and a port.',
      '^(unix:.+|tls://.+)$',
      'unix:state/grants.sock',
      'tls://192.0.2.1:8555',
    ),
    class: z
      .enum(['wait', 'follow'])
      .meta({
        title: 'wait or follow',
        description:
          'Whether answers wait until its consumers have acknowledged their grants (default follow).',
      })
      .optional(),
    certificate: path('PEM file of the chain that is shown, the leaf first.', 'tls/server.pem'),
    key: path('PEM file of its private key.', 'tls/server.key'),
    client_ca: path('PEM file of the CAs of its consumers.', 'tls/enforcers.pem'),
    crl: path('PEM file of the CRLs of these CAs.', 'tls/enforcers.crl'),
    clients: list(
      text('what a certificate holds', 'spiffe://…, dns:NAME or sha256:HEX.', null, 'dns:edge.example'),
      'a list of certificates',
      'tls:// alone: who may connect. A certificate must hold one of these.',
    )
      .min(1)
      .optional(),
  })
  .meta({
    title: 'a map with name and on',
    examples: ['{ name: edge-firewall, on: unix:state/grants.sock, class: wait }'],
  });

export const enforce = z
  .strictObject({
    socket: text(
      'a path',
      'Unix socket that namegate and `namegate enforce` meet on. Relative to this file.',
      null,
      'state/enforce.sock',
    ).optional(),
    interfaces: list(
      text(
        'an interface',
        'Its name, or the beginning of names with * behind it.',
        INTERFACE_FORM,
        'docker0',
        'veth*',
      ),
      'a list of interfaces',
      'Where packets of clients come in: there they reach what was answered to them, and nothing else.',
    ).optional(),
    local: list(
      text('an address or a prefix', 'Of this machine.', null, '0.0.0.0/0', '10.20.0.7'),
      'a list of addresses and prefixes',
      'Addresses of this machine that clients send from, as in a pod: what its programs send from there is judged too.',
    ).optional(),
    wait: text(
      'a duration',
      'How long an answer waits for its grants (default 100ms).',
      FORM.duration,
      '100ms',
    ).optional(),
    fail: z
      .enum(['closed', 'open'])
      .meta({
        title: 'closed or open',
        description:
          'What becomes of an answer whose grants are not in the kernel in time: SERVFAIL, or it is given (default closed).',
      })
      .optional(),
    ports: ports(
      'Ports that are opened where a rule names none (default tcp/80, tcp/443, udp/443).',
    ).optional(),
    user: text(
      'a user',
      'User that namegate runs as, by name or number, where it is neither root nor the user of `namegate enforce`.',
      '^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,9})$',
      'namegate',
      '65532',
    ).optional(),
    feeds: list(feed, 'a list of feeds', 'The grants as a stream, for enforcers elsewhere.')
      .min(1)
      .max(8)
      .optional(),
  })
  .meta({
    title: 'a map with socket, and interfaces or local; or with feeds',
    description:
      'The firewall: clients connect to what was answered to them, and to nothing else. Off unless written.',
  })
  .optional();
