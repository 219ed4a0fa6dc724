import t from 'tap';
import { descriptorLimit, shareDescriptors } from '../../src/listen/descriptors.ts';

const DEFAULTS = { listeners: 1, clients: 1000, upstreams: 10_000 };

t.test('where there is room, everybody gets what is wanted', async (t) => {
  t.same(shareDescriptors(Number.POSITIVE_INFINITY, DEFAULTS), {
    clients: 1000,
    upstreams: 10_000,
    scarce: false,
  });
  t.same(shareDescriptors(11_112, DEFAULTS), { clients: 1000, upstreams: 10_000, scarce: false });
  t.same(shareDescriptors(11_111, DEFAULTS), { clients: 1000, upstreams: 9999, scarce: true });
});

t.test('where descriptors are scarce, each side has its half and what the other leaves', async (t) => {
  t.same(shareDescriptors(4096, DEFAULTS), { clients: 1000, upstreams: 2984, scarce: true });
  t.same(shareDescriptors(1024, DEFAULTS), { clients: 456, upstreams: 456, scarce: true });
  t.same(shareDescriptors(1024, { ...DEFAULTS, upstreams: 100 }), {
    clients: 812,
    upstreams: 100,
    scarce: true,
  });
  t.same(shareDescriptors(64, DEFAULTS), { clients: 8, upstreams: 8, scarce: true });
});

t.test('clients are counted at every listener', async (t) => {
  t.same(shareDescriptors(4096, { ...DEFAULTS, listeners: 4 }), {
    clients: 498,
    upstreams: 1992,
    scarce: true,
  });
  t.same(shareDescriptors(1024, { ...DEFAULTS, listeners: 0 }), {
    clients: 456,
    upstreams: 912,
    scarce: true,
  });
});

t.test('however few there are, each side has one, and the whole fits from 50 on', async (t) => {
  for (let limit = 0; limit < 2000; limit++) {
    for (const listeners of [0, 1, 2, 7]) {
      const { clients, upstreams } = shareDescriptors(limit, { ...DEFAULTS, listeners });
      const fits = limit < 60 || clients * listeners + upstreams <= limit - 48;
      if (clients < 1 || upstreams < 1 || !fits)
        t.fail(`${limit} for ${listeners} listeners`, { clients, upstreams });
    }
  }
});

t.test('the limit of this process', async (t) => {
  t.ok(descriptorLimit() >= 64, `${descriptorLimit()}`);
});
