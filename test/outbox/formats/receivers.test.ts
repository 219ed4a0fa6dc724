import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { blocks, page } from '../../docs.ts';

type Parts = Readonly<Record<string, { readonly inputs?: readonly string[]; readonly type?: string }>>;

const configuration = (kind: string): unknown =>
  parse(blocks(page('docs/alerts.md')).find((block) => block.kind === kind)?.text ?? '');

/**
 * Keys of each part that the pages use. Those of splunk_hec and elasticsearch are of their config.schema.yaml in
 * opentelemetry-collector-contrib after 0.145. Those of the transform processor are of its README there. Those of the secrets
 * and sinks are of Vector's source and reference, 0.57 and later. The receiver is held by a real Collector in test/interop.
 */
const PUBLISHED: Readonly<Record<string, readonly string[]>> = {
  'receivers.otlp': ['protocols'],
  'receivers.otlp.protocols': ['grpc', 'http'],
  'receivers.otlp.protocols.http': ['endpoint', 'tls', 'cors', 'logs_url_path', 'max_request_body_size'],
  'receivers.otlp.protocols.http.tls': ['ca_file', 'cert_file', 'key_file', 'client_ca_file', 'min_version'],
  'processors.transform': ['error_mode', 'log_statements'],
  'exporters.splunk_hec': [
    'endpoint',
    'token',
    'source',
    'sourcetype',
    'index',
    'tls',
    'sending_queue',
    'retry_on_failure',
  ],
  'exporters.splunk_hec.sending_queue': ['enabled', 'wait_for_result', 'block_on_overflow', 'num_consumers'],
  'exporters.splunk_hec.retry_on_failure': [
    'enabled',
    'initial_interval',
    'max_interval',
    'max_elapsed_time',
  ],
  // `mapping.mode` is still a key, and is ignored from 0.145 on.
  'exporters.elasticsearch': [
    'endpoint',
    'endpoints',
    'api_key',
    'logs_index',
    'logs_dynamic_id',
    'tls',
    'user',
    'sending_queue',
    'retry',
  ],
  'exporters.elasticsearch.logs_dynamic_id': ['enabled'],
  'exporters.elasticsearch.sending_queue': [
    'enabled',
    'wait_for_result',
    'block_on_overflow',
    'num_consumers',
  ],
  'exporters.elasticsearch.retry': [
    'enabled',
    'initial_interval',
    'max_interval',
    'max_retries',
    'retry_on_status',
  ],
  'secret.directory': ['type', 'path', 'remove_trailing_whitespace'],
  'sources.file': ['type', 'include', 'exclude', 'read_from', 'data_dir'],
  'transforms.remap': ['type', 'inputs', 'source', 'drop_on_error'],
  'sinks.splunk_hec_logs': [
    ...['type', 'inputs', 'endpoint', 'default_token', 'encoding', 'index', 'source', 'sourcetype'],
    ...['acknowledgements', 'batch', 'tls'],
  ],
  'sinks.splunk_hec_logs.encoding': ['codec'],
  'sinks.splunk_hec_logs.acknowledgements': ['enabled', 'indexer_acknowledgements_enabled'],
  'sinks.elasticsearch': [
    ...['type', 'inputs', 'endpoints', 'id_key', 'bulk', 'mode', 'auth', 'tls', 'acknowledgements'],
  ],
  'sinks.elasticsearch.bulk': ['action', 'index', 'template_fallback_index'],
  'sinks.elasticsearch.auth': ['strategy', 'user', 'password'],
  'sinks.elasticsearch.acknowledgements': ['enabled'],
  'sinks.azure_logs_ingestion': [
    ...[
      'type',
      'inputs',
      'endpoint',
      'dcr_immutable_id',
      'stream_name',
      'auth',
      'token_scope',
      'timestamp_field',
    ],
    ...['encoding', 'batch', 'request', 'tls', 'acknowledgements', 'retry_strategy'],
  ],
  'sinks.azure_logs_ingestion.auth': [
    ...['azure_credential_kind', 'azure_tenant_id', 'azure_client_id', 'azure_client_secret'],
  ],
  'sinks.azure_logs_ingestion.batch': ['max_bytes', 'max_events', 'timeout_secs'],
  'sinks.azure_logs_ingestion.acknowledgements': ['enabled'],
};

/** Holds a part of a configuration to the published keys, and all below it that has a list of its own. */
function holdKeys(t: Test, name: string, part: object): void {
  const known = PUBLISHED[name] ?? [];
  for (const [key, value] of Object.entries(part)) {
    t.ok(known.includes(key), `${name} has a key ${key}`);
    if (PUBLISHED[`${name}.${key}`] !== undefined) holdKeys(t, `${name}.${key}`, value as object);
  }
}

t.test(
  'the configuration of the OpenTelemetry Collector is YAML whose pipelines name what there is',
  async (t) => {
    type Pipeline = Readonly<Record<'receivers' | 'exporters', string[]>> & { processors?: string[] };
    const { receivers, processors, exporters, service } = configuration('yaml collector') as {
      receivers: Parts;
      processors: Parts;
      exporters: Parts;
      service: { pipelines: Readonly<Record<string, Pipeline>> };
    };
    const used = Object.values(service.pipelines);
    t.same(new Set(used.flatMap((pipeline) => pipeline.processors ?? [])), new Set(Object.keys(processors)));
    t.same(new Set(used.flatMap((pipeline) => pipeline.receivers)), new Set(Object.keys(receivers)));
    t.same(new Set(used.flatMap((pipeline) => pipeline.exporters)), new Set(Object.keys(exporters)));
    for (const [name, part] of Object.entries(receivers)) holdKeys(t, `receivers.${name}`, part);
    for (const [name, part] of Object.entries(processors))
      holdKeys(t, `processors.${name.replace(/\/.*/, '')}`, part);
    for (const [name, part] of Object.entries(exporters)) holdKeys(t, `exporters.${name}`, part);
  },
);

t.test("Vector's configuration is YAML whose parts have inputs that there are", async (t) => {
  const { secret, sources, transforms, sinks } = configuration('yaml vector') as Record<string, Parts>;
  const known = new Set([...Object.keys(sources ?? {}), ...Object.keys(transforms ?? {})]);
  for (const [name, { inputs = [], type }] of Object.entries({ ...transforms, ...sinks })) {
    t.ok(type, name);
    t.ok(inputs.length > 0 && inputs.every((input) => known.has(input)), name);
  }
  const text = JSON.stringify(sinks);
  for (const [, backend = ''] of text.matchAll(/SECRET\[(\w+)\.\w+\]/g)) t.ok(secret?.[backend], backend);
  // Vector sends such a text as it is.
  t.notMatch(text, /\$\{/, 'no variable of the environment');
  for (const [kind, parts] of Object.entries({ secret, sources, transforms, sinks }))
    for (const part of Object.values(parts ?? {})) holdKeys(t, `${kind}.${part.type}`, part);
});
