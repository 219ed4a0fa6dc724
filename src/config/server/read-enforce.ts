import { resolve } from 'node:path';
import type { z } from 'zod';
import {
  DEFAULT_PORTS,
  type EnforceSetting,
  type GrantFeedSetting,
} from '../../settings/enforce-settings.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { parsePrefix } from '../addresses.ts';
import { relativeTo } from '../policy/lists.ts';
import { readPorts } from '../port-list.ts';
import { TextFault } from '../problems.ts';
import type { enforce as schema } from '../schema/enforce-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { parseDuration, quote } from '../units.ts';
import type { ServerContext } from './server-context.ts';

type Written = NonNullable<Repaired<z.infer<typeof schema>>>;

const WAIT_MS: Milliseconds = 100;
/** What `sun_path` holds beside its final NUL (unix(7)). */
const MAX_PATH = 107;
/** A stub asks again after some seconds; nothing is won by a longer wait. */
const LONGEST_WAIT_MS: Milliseconds = 2_000;
const INTERFACE = /^[A-Za-z0-9_.@-]{1,15}\*?$/;
const USER = /^(?:[a-z_][a-z0-9_-]{0,31}|[0-9]{1,9})$/;

type Context = Pick<ServerContext, 'marks' | 'problems'>;

/** Null where nothing is written: then no client's packets are judged. */
export function readEnforce(
  written: Written | undefined,
  context: Context,
  feeds: readonly GrantFeedSetting[] = [],
): EnforceSetting | null {
  if (written === undefined) return null;
  const { marks, problems } = context;
  const { socket, user = null } = written;
  judgeTogether(written, context);
  if (socket === '')
    problems.error(
      'value-empty',
      marks.value(written, 'socket'),
      'socket is empty',
      'write the path of a socket',
    );
  const path = resolve(relativeTo(marks.file, socket ?? ''));
  if (socket !== undefined && Buffer.byteLength(path) > MAX_PATH) {
    const message = `${path} is longer than the ${MAX_PATH} octets that the path of a socket may have`;
    problems.error(
      'value-range',
      marks.value(written, 'socket'),
      message,
      'choose a shorter path, such as one in /run',
    );
  }
  if (user !== null && !USER.test(user)) {
    const fix = 'write the name or the quoted number of the user that namegate runs as';
    problems.error('value-text', marks.value(written, 'user'), `${quote(user)} is no name of a user`, fix);
  }
  // A list that was refused has been reported.
  const judges = (['interfaces', 'local'] as const).some(
    (key) => Object.hasOwn(written, key) && written[key]?.length !== 0,
  );
  if (socket !== undefined && !judges)
    problems.error(
      'value-empty',
      marks.value(written, 'socket'),
      'enforce says of nobody that he is judged',
      'write interfaces: [NAME] for clients behind this machine, or local: [PREFIX] for programs on it',
    );
  return {
    socket: socket === undefined ? null : path,
    wait: readWait(written, context),
    fail: written.fail ?? 'closed',
    interfaces: readInterfaces(written.interfaces ?? [], context),
    local: readLocal(written.local ?? [], context),
    ports: written.ports === undefined ? DEFAULT_PORTS : readPorts(written.ports, context),
    user,
    feeds,
  };
}

/** What `namegate enforce` needs stands together; without it there has to be a feed. */
function judgeTogether(written: Written, { marks, problems }: Context): void {
  const has = (key: keyof Written): boolean => Object.hasOwn(written, key);
  if (!has('socket') && !has('feeds')) {
    const message = 'enforce has neither a socket nor feeds: nobody is told what is granted';
    const fix = 'write enforce: { socket: PATH, interfaces: [NAME] }, or feeds';
    problems.error('key-missing', marks.container(written), message, fix);
  }
  if (has('socket')) return;
  for (const key of ['interfaces', 'local', 'user'] as const)
    if (has(key))
      problems.error(
        'enforce-form',
        marks.key(written, key),
        `${key} is for namegate enforce, and there is no socket to it`,
        `write socket, or remove ${key}`,
      );
}

function readWait(written: Written, { marks, problems }: Context): Milliseconds {
  if (written.wait === undefined) return WAIT_MS;
  const wait = parseDuration(written.wait);
  if (wait instanceof TextFault) problems.fault(wait, marks.inside(written, 'wait', wait.offset));
  else if (wait < 1 || wait > LONGEST_WAIT_MS)
    problems.error(
      'value-range',
      marks.value(written, 'wait'),
      `${written.wait} is ${wait < 1 ? 'too short' : 'too long'} for an answer to wait`,
      'write 1ms to 2s',
    );
  else return wait;
  return WAIT_MS;
}

function readInterfaces(written: readonly (string | undefined)[], { marks, problems }: Context): string[] {
  return written.flatMap((name, index) => {
    if (name === undefined) return [];
    if (INTERFACE.test(name) && name !== 'lo') return [name];
    const fix =
      'write the name of the interface that packets of clients come in by, such as docker0 or veth*';
    const what = name === 'lo' ? 'lo is the machine itself' : `${quote(name)} is no name of an interface`;
    problems.error('interface-form', marks.value(written, index), what, fix);
    return [];
  });
}

function readLocal(written: readonly (string | undefined)[], { marks, problems }: Context): string[] {
  return written.flatMap((text, index) => {
    if (text === undefined) return [];
    const prefix = parsePrefix(text);
    if (!(prefix instanceof TextFault)) return [text];
    problems.fault(prefix, marks.value(written, index));
    return [];
  });
}
