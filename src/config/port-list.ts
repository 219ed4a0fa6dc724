import { MOST_PORTS } from '../settings/enforce-settings.ts';
import type { Marks } from './files/marks.ts';
import type { Problems } from './problems.ts';
import { quote } from './units.ts';

const FORM = /^(tcp|udp)\/(\d{1,5})(?:-(\d{1,5}))?$/;

/** Ports in one form and order, those that are none reported. */
export function readPorts(
  written: readonly (string | undefined)[],
  { marks, problems }: { readonly marks: Marks; readonly problems: Problems },
): readonly string[] {
  const ports = new Set<string>();
  let many = 0;
  written.forEach((text, index) => {
    if (text === undefined) return;
    const [, protocol, from = '', to = from] = FORM.exec(text) ?? [];
    const first = Number(from);
    const last = Number(to);
    if (protocol === undefined || first < 1 || last > 65_535 || last < first) {
      const fix = 'write tcp/443, udp/443 or tcp/8000-8010, with ports from 1 to 65535';
      problems.error('port-form', marks.value(written, index), `${quote(text)} is no port`, fix);
      return;
    }
    many += last - first + 1;
    ports.add(first === last ? `${protocol}/${first}` : `${protocol}/${first}-${last}`);
  });
  if (many > MOST_PORTS) {
    const message = `${many} ports are more than the ${MOST_PORTS} that a grant may open`;
    problems.error('port-many', marks.container(written), message, 'name the ports that the job needs');
  }
  return [...ports].sort();
}
