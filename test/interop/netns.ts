import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { must, run } from './process.ts';

/** Network namespaces that a test makes for itself: no packet of it leaves them, and every port is free. */

let count = 0;

/** Makes a namespace with loopback up, and takes it away at the end of the test. Returns its name. */
export async function namespace(t: Test, purpose: string): Promise<string> {
  const name = `namegate-${process.pid}-${count++}-${purpose}`;
  await must(['ip', 'netns', 'add', name]);
  // What is registered last is taken down first: daemons inside have ended by then.
  t.teardown(() => run(['ip', 'netns', 'delete', name]));
  await must(['ip', 'link', 'set', 'lo', 'up'], { namespace: name });
  return name;
}

/** A cable between two namespaces; `address` is with its prefix, and routes are the caller's. */
export async function cable(
  one: { readonly namespace: string; readonly device: string; readonly addresses: readonly string[] },
  other: { readonly namespace: string; readonly device: string; readonly addresses: readonly string[] },
): Promise<void> {
  const ends = [
    one.device,
    'netns',
    one.namespace,
    'type',
    'veth',
    'peer',
    'name',
    other.device,
    'netns',
    other.namespace,
  ];
  await must(['ip', 'link', 'add', ...ends]);
  for (const { namespace, device, addresses } of [one, other]) {
    for (const address of addresses) {
      // Without duplicate address detection an IPv6 address works at once.
      const flags = address.includes(':') ? ['nodad'] : [];
      await must(['ip', 'address', 'add', address, 'dev', device, ...flags], { namespace });
    }
    await must(['ip', 'link', 'set', device, 'up'], { namespace });
  }
}

/**
 * The resolv.conf that programs started by `ip netns exec` see, in a namespace of this test: netns(8) binds
 * `/etc/netns/NAME/*` over `/etc`.
 */
export function resolvConf(t: Test, name: string, text: string): void {
  const folder = join('/etc/netns', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'resolv.conf'), text);
  // No service of the machine (nscd, systemd-resolved's module) may answer instead.
  writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: files dns\n');
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
}
