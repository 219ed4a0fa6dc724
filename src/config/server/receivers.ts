import { resolve } from 'node:path';
import type { z } from 'zod';
import type {
  OtlpSinkSetting,
  SinkSetting,
  SinkTls,
  SyslogSinkSetting,
} from '../../settings/alert-settings.ts';
import { relativeTo } from '../policy/lists.ts';
import { TextFault } from '../problems.ts';
import type { alerts } from '../schema/alert-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { otlpEnvironment } from './otlp-environment.ts';
import { readPemFile } from './pem-files.ts';
import { parseOtlpReceiver, parseSyslogReceiver, type Receiver } from './receiver-url.ts';
import type { ServerContext } from './server-context.ts';

type WrittenAlerts = NonNullable<Repaired<z.infer<typeof alerts>>>;
export type WrittenSink = NonNullable<NonNullable<WrittenAlerts['sinks']>[number]>;

/** What each sink has beside what its type needs. */
export type SinkTerms = Pick<SinkSetting, 'name' | 'format' | 'kinds' | 'minSeverity'>;

/** Octets of a token: more than any issuer gives, and less than what a receiver takes as a header. */
const LONGEST_TOKEN = 8_192;

export function readSyslog(
  written: WrittenSink,
  terms: SinkTerms,
  context: ServerContext,
): SyslogSinkSetting | null {
  const receiver = readReceiver(written, terms, parseSyslogReceiver, context);
  const tls = readTls(written, receiver, context);
  if (receiver === null) return null;
  const { host, port } = receiver;
  const protocol = receiver.scheme as SyslogSinkSetting['protocol'];
  return { type: 'syslog', ...terms, protocol, host, port, tls };
}

/** What is not written is taken from the variables `OTEL_EXPORTER_OTLP_*`. */
export function readOtlp(
  written: WrittenSink,
  terms: SinkTerms,
  context: ServerContext,
): OtlpSinkSetting | null {
  const { marks, problems } = context;
  const environment = otlpEnvironment(context.env);
  for (const message of environment.faults)
    problems.error('sink-form', marks.value(written, 'type'), message, 'set or unset the variable');
  if (written.to === undefined && environment.endpoint === null) {
    const message = `the sink ${terms.name} has no receiver`;
    const fix = 'write to: URL, or set OTEL_EXPORTER_OTLP_ENDPOINT';
    problems.error('sink-form', marks.container(written), message, fix);
    return null;
  }
  const parse = (text: string) => parseOtlpReceiver(text);
  const receiver =
    written.to === undefined
      ? fromEnvironment(written, terms, environment.endpoint!, context)
      : readReceiver(written, terms, parse, context);
  const tls = readTls(written, receiver, context);
  const tokenFile = readToken(written, receiver, context);
  if (receiver === null) return null;
  const { headers, isGzipped, timeout } = environment;
  return {
    type: 'otlp',
    ...terms,
    url: receiver.url,
    headers,
    isGzipped,
    timeout,
    tokenFile,
    tls: {
      ca: tls.ca ?? environment.ca,
      certificate: tls.certificate ?? environment.certificate,
      key: tls.certificate === null ? environment.key : tls.key,
      serverName: tls.serverName,
    },
  };
}

function fromEnvironment(
  written: WrittenSink,
  terms: SinkTerms,
  endpoint: string,
  context: ServerContext,
): Receiver | null {
  const { marks, problems } = context;
  const receiver = parseOtlpReceiver(endpoint);
  if (!(receiver instanceof TextFault)) {
    advise(written, 'type', terms, receiver, context);
    return receiver;
  }
  const message = `OTEL_EXPORTER_OTLP_ENDPOINT: ${receiver.message}`;
  problems.error(receiver.code, marks.value(written, 'type'), message, receiver.fix);
  return null;
}

function readReceiver(
  written: WrittenSink,
  terms: SinkTerms,
  parse: (text: string) => Receiver | TextFault,
  context: ServerContext,
): Receiver | null {
  const { marks, problems } = context;
  if (written.to === undefined) {
    const message = `the sink ${terms.name} has no receiver`;
    problems.error('sink-form', marks.container(written), message, 'write to: tls://HOST:PORT');
    return null;
  }
  const receiver = parse(written.to);
  if (receiver instanceof TextFault) {
    problems.fault(receiver, marks.inside(written, 'to', receiver.offset));
    return null;
  }
  advise(written, 'to', terms, receiver, context);
  return receiver;
}

/** The system resolves the name, and that may be this very server: then nobody is told when it fails. */
function advise(
  written: WrittenSink,
  key: 'to' | 'type',
  { name }: SinkTerms,
  { isName, host, scheme }: Receiver,
  { marks, problems }: ServerContext,
): void {
  if (!isName || host === 'localhost') return;
  const message = `the receiver of ${name} is a name, which the system resolves, perhaps by this server`;
  const fix =
    scheme === 'tls' || scheme === 'https'
      ? `write its address, with #${host} at the end`
      : 'write its address';
  problems.warn('sink-name', marks.value(written, key), message, fix);
}

function readTls(written: WrittenSink, receiver: Receiver | null, context: ServerContext): SinkTls {
  const { marks, problems } = context;
  const isTls = receiver === null || receiver.scheme === 'tls' || receiver.scheme === 'https';
  const read = (key: 'ca' | 'certificate' | 'key'): string | null => {
    const path = written[key];
    if (path === undefined) return null;
    if (!isTls) {
      const message = `${receiver?.scheme}:// has no use for ${key}`;
      problems.error('sink-form', marks.key(written, key), message, `remove ${key}, or write another scheme`);
      return null;
    }
    const file = readPemFile(written, key, path, 'pem', context);
    return file === null ? null : resolve(file.path);
  };
  const tls = {
    ca: read('ca'),
    certificate: read('certificate'),
    key: read('key'),
    serverName: receiver?.serverName ?? null,
  };
  const missing =
    (written.certificate === undefined) === (written.key === undefined)
      ? null
      : written.key === undefined
        ? (['certificate', 'key'] as const)
        : (['key', 'certificate'] as const);
  if (missing !== null) {
    const [has, lacks] = missing;
    problems.error('sink-form', marks.key(written, has), `${has} without ${lacks}`, `write ${lacks}: FILE`);
  }
  return tls;
}

function readToken(written: WrittenSink, receiver: Receiver | null, context: ServerContext): string | null {
  const { marks, problems, reader } = context;
  const path = written.token_file;
  if (path === undefined) return null;
  const at = marks.value(written, 'token_file');
  if (path === '') {
    problems.error('value-empty', at, 'token_file is empty', 'write the path of a file');
    return null;
  }
  const file = resolve(relativeTo(marks.file, path));
  const text = reader.readHiddenText(file, at, problems);
  if (text === null) return null;
  if (!isToken(text.trim()))
    problems.error('sink-form', at, `${path} holds no token`, 'write one line of printable ASCII');
  if (receiver?.scheme === 'http' && !/^(127\.|::1$|localhost$)/.test(receiver.host)) {
    const message = 'the token goes over the network without TLS';
    problems.warn('sink-plain', marks.value(written, 'token_file'), message, 'write to: https://…');
  }
  return file;
}

function isToken(text: string): boolean {
  return text.length > 0 && text.length <= LONGEST_TOKEN && /^[\x20-\x7e]+$/.test(text);
}
