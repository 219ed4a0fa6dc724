import type { SinkSetting } from '../../settings/alert-settings.ts';
import { unreachable } from '../../wire/quantity.ts';
import type { EventSink, SinkClock } from './sink.ts';

/**
 * The sink that a setting describes; nothing is opened before the first event. Only what is written in the settings is
 * loaded: each kind of sink brings modules of its own into the worker's memory.
 */
export async function makeSink(
  setting: SinkSetting,
  isDurable: boolean,
  clock: SinkClock,
): Promise<EventSink> {
  switch (setting.type) {
    case 'file':
      return new (await import('./file.ts')).FileSink(setting, isDurable, clock);
    case 'stdout':
      return new (await import('./stdout.ts')).StdoutSink(setting, clock);
    case 'syslog':
      return setting.protocol === 'udp'
        ? new (await import('./syslog-datagrams.ts')).SyslogDatagrams(setting, clock)
        : new (await import('./syslog.ts')).SyslogStream(setting, clock);
    case 'otlp':
      return new (await import('./otlp.ts')).OtlpSink(setting, clock);
    default:
      unreachable(setting);
  }
}
