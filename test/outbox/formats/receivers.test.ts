import t from 'tap';
import { parse } from 'yaml';
import { blocks, page } from '../../docs.ts';

type Parts = Readonly<Record<string, { readonly inputs?: readonly string[]; readonly type?: string }>>;

const configuration = (kind: string): unknown =>
  parse(blocks(page('docs/alerts.md')).find((block) => block.kind === kind)?.text ?? '');

t.test(
  'the configuration of the OpenTelemetry Collector is YAML whose pipelines name what there is',
  async (t) => {
    const { receivers, exporters, service } = configuration('yaml collector') as {
      receivers: Parts;
      exporters: Parts;
      service: { pipelines: Readonly<Record<string, { receivers: string[]; exporters: string[] }>> };
    };
    const used = Object.values(service.pipelines);
    t.same(new Set(used.flatMap((pipeline) => pipeline.receivers)), new Set(Object.keys(receivers)));
    t.same(new Set(used.flatMap((pipeline) => pipeline.exporters)), new Set(Object.keys(exporters)));
  },
);

t.test("Vector's configuration is YAML whose parts have inputs that there are", async (t) => {
  const { sources, transforms, sinks } = configuration('yaml vector') as Record<string, Parts>;
  const known = new Set([...Object.keys(sources ?? {}), ...Object.keys(transforms ?? {})]);
  for (const [name, { inputs = [], type }] of Object.entries({ ...transforms, ...sinks })) {
    t.ok(type, name);
    t.ok(inputs.length > 0 && inputs.every((input) => known.has(input)), name);
  }
});
