import t from 'tap';
import { exposition } from '../../src/report/exposition.ts';
import { Upstreams } from '../../src/upstream/forwarder.ts';

/** What an upstream's scrape shows of a server that nobody has asked, and of one label in two groups. */

t.test('servers by group', async (t) => {
  const server = { protocol: 'udp', host: '192.0.2.1', port: 53, name: null, ca: null } as const;
  const upstreams = new Upstreams({
    groups: [
      { name: 'default', servers: [server], zones: [] },
      { name: 'a"b', servers: [server], zones: [] },
    ] as unknown as ConstructorParameters<typeof Upstreams>[0]['groups'],
    isOurs: () => false,
  });
  t.teardown(() => upstreams.close());
  const text = [...exposition([upstreams])].join('');
  t.match(text, 'namegate_upstream_up{group="default",server="udp://192.0.2.1:53"} 1\n');
  t.match(text, 'namegate_upstream_up{group="a\\"b",server="udp://192.0.2.1:53"} 1\n');
  t.match(
    text,
    'namegate_upstream_failures_total{group="default",server="udp://192.0.2.1:53",reason="silent"} 0\n',
  );
});
