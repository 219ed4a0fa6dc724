import { networkInterfaces } from 'node:os';
import t from 'tap';
import { OwnLookups } from '../../src/outbox/own-lookups.ts';
import type { QuestionRecord } from '../../src/outbox/slot-question.ts';
import type { SinkSetting } from '../../src/settings/alert-settings.ts';
import { wireName } from '../resolve/records.ts';
import { NO_TLS, TERMS } from './sinks/rig.ts';

const SINKS = [
  { ...TERMS, type: 'syslog', protocol: 'tcp', host: 'SIEM.example', port: 601, tls: NO_TLS },
  { ...TERMS, type: 'otlp', url: 'http://[2001:db8::1]:4318/v1/logs' },
  { ...TERMS, type: 'otlp', url: 'https://collector.example:4318/v1/logs' },
  { ...TERMS, type: 'stdout' },
] as unknown as SinkSetting[];

const machine = Object.values(networkInterfaces()).flatMap((list) => list ?? []);

const CASES: readonly [name: string, client: string, isOwn: boolean][] = [
  ['siem.example', '127.0.0.1', true],
  ['collector.example', '::1', true],
  ...machine.map(({ address }): [string, string, boolean] => ['siem.example', address, true]),
  // The system's search list.
  ['siem.example.corp.example', '127.0.0.53', true],
  ['collector.example.lab.example', '127.0.0.53', true],
  // A job on this machine hides nothing behind a receiver's name.
  ['siem.example.secret.evil.example', '127.0.0.1', false],
  ['siem.example.corp.example.evil.example', '127.0.0.1', false],
  // Another machine, another name.
  ['siem.example', '192.0.2.7', false],
  ['siem.example', '2001:db8::7', false],
  ['example', '127.0.0.1', false],
  ['evil.siem.example', '127.0.0.1', false],
  ['siem.example2', '127.0.0.1', false],
];

const question = (name: string, client: string): QuestionRecord =>
  ({ name: wireName(name), draft: { kind: 'deny', at: 0, client } }) as unknown as QuestionRecord;

t.test('what this machine asks for its receivers is told from what others ask', async (t) => {
  const lookups = new OwnLookups();
  t.notOk(lookups.has(question('siem.example', '127.0.0.1')), 'without sinks there is nothing');
  lookups.configure(SINKS, '# none\nsearch corp.example lab.example.\nnameserver 127.0.0.1\n');
  for (const [name, client, isOwn] of CASES)
    t.equal(lookups.has(question(name, client)), isOwn, `${name} from ${client}`);
  lookups.configure([], '');
  t.notOk(lookups.has(question('siem.example', '127.0.0.1')), 'a reload forgets');
});
