import type { SinkSetting } from '../../settings/alerts.ts';
import { FileSink } from './file.ts';
import { OtlpSink } from './otlp.ts';
import type { EventSink, SinkClock } from './sink.ts';
import { StdoutSink } from './stdout.ts';
import { SyslogStream } from './syslog.ts';
import { SyslogDatagrams } from './syslog-datagrams.ts';

/** The sink that a setting describes; nothing is opened before the first event. */
export function makeSink(setting: SinkSetting, isDurable: boolean, clock: SinkClock): EventSink {
  switch (setting.type) {
    case 'file':
      return new FileSink(setting, isDurable, clock);
    case 'stdout':
      return new StdoutSink(setting, clock);
    case 'syslog':
      return setting.protocol === 'udp'
        ? new SyslogDatagrams(setting, clock)
        : new SyslogStream(setting, clock);
    case 'otlp':
      return new OtlpSink(setting, clock);
  }
}
