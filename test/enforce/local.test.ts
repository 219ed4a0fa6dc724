import { fileURLToPath } from 'node:url';
import t from 'tap';
import { cable, namespace } from '../interop/netns.ts';
import { missingForRoot, must } from '../interop/process.ts';

const program = fileURLToPath(new URL('./local-program.ts', import.meta.url));

/** What programs of the machine itself may connect to: each row is a line that the program prints. */
t.test('packets of the machine itself', { skip: missingForRoot('ip', 'nft') }, async (t) => {
  const inside = await namespace(t, 'local');
  const ip = (...words: string[]): Promise<string> => must(['ip', ...words], { namespace: inside });
  const nowhere = await namespace(t, 'nowhere');
  const addresses = ['10.9.0.2/16', '10.9.0.3/16', '10.8.0.2/16', 'fd00:9::2/64'];
  await cable(
    { namespace: inside, device: 'out0', addresses },
    { namespace: nowhere, device: 'in0', addresses: [] },
  );
  for (const gateway of ['10.9.0.9', 'fd00:9::9']) {
    const family = gateway.includes(':') ? ['-6'] : [];
    await ip('neigh', 'add', gateway, 'lladdr', '02:00:00:00:00:09', 'dev', 'out0', 'nud', 'permanent');
    await ip(...family, 'route', 'add', 'default', 'via', gateway);
  }
  const said = await must([process.execPath, program], { namespace: inside });
  t.same(said.trim().split('\n'), [
    'granted: silence',
    'another port: ECONNREFUSED',
    'another address: ECONNREFUSED',
    'another source: ECONNREFUSED',
    'a source that is not judged: silence',
    'over UDP: EPERM',
    'as DHCP, to anywhere: EPERM',
    'namegate: silence',
    'IPv6: silence',
    'another address of IPv6: ECONNREFUSED',
    'the machine itself: ECONNREFUSED',
    'the user of the server: silence',
  ]);
});
