/** Messages for tests, octet by octet. Nothing here comes from the code under test. */

/** A wire name of plain labels; '' is the root. */
export function wire(dotted: string): Buffer {
  const labels = dotted === '' ? [] : dotted.split('.');
  return labelled(...labels.map((label) => Buffer.from(label, 'latin1')));
}

/** A wire name of labels that may hold any octets. */
export function labelled(...labels: Uint8Array[]): Buffer {
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), label]),
    Buffer.from([0]),
  ]);
}

export function u16(...values: number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [(value >>> 8) & 0xff, value & 0xff]));
}

export function u32(value: number): Buffer {
  return u16(value >>> 16, value & 0xffff);
}

/** A compression pointer (RFC 1035 §4.1.4). */
export function pointer(target: number): Buffer {
  return u16(0xc000 | target);
}

export function question(name: Buffer | string, type = 1, cls = 1): Buffer {
  return Buffer.concat([typeof name === 'string' ? wire(name) : name, u16(type, cls)]);
}

export interface RecordShape {
  readonly owner?: Buffer | string;
  readonly type?: number;
  readonly class?: number;
  readonly ttl?: number;
  readonly rdata?: Buffer;
}

/** A record; its owner is a pointer to the question unless it is given. */
export function record({
  owner = pointer(12),
  type = 1,
  ttl = 60,
  rdata,
  ...rest
}: RecordShape = {}): Buffer {
  const data = rdata ?? Buffer.from([192, 0, 2, 1]);
  return Buffer.concat([
    typeof owner === 'string' ? wire(owner) : owner,
    u16(type, rest.class ?? 1),
    u32(ttl),
    u16(data.length),
    data,
  ]);
}

export interface OptShape {
  readonly size?: number;
  readonly version?: number;
  readonly dnssecOk?: boolean;
  readonly options?: Buffer;
  readonly owner?: Buffer;
}

export function opt(shape: OptShape = {}): Buffer {
  return record({
    owner: shape.owner ?? wire(''),
    type: 41,
    class: shape.size ?? 1232,
    ttl: ((shape.version ?? 0) << 16) | (shape.dnssecOk ? 0x8000 : 0),
    rdata: shape.options ?? Buffer.alloc(0),
  });
}

export function option(code: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([u16(code, data.length), data]);
}

export interface MessageShape {
  readonly id?: number;
  readonly flags?: number;
  readonly questions?: readonly Buffer[];
  readonly answers?: readonly Buffer[];
  readonly authority?: readonly Buffer[];
  readonly additional?: readonly Buffer[];
  readonly trailing?: Buffer;
}

/** A whole message; its counts are those of what it holds. */
export function message(shape: MessageShape = {}): Buffer {
  const questions = shape.questions ?? [question('www.example')];
  const { answers = [], authority = [], additional = [] } = shape;
  return Buffer.concat([
    u16(shape.id ?? 0x1234, shape.flags ?? 0x0100),
    u16(questions.length, answers.length, authority.length, additional.length),
    ...questions,
    ...answers,
    ...authority,
    ...additional,
    shape.trailing ?? Buffer.alloc(0),
  ]);
}

/** A name of exactly `octets` octets, root included, 3 to 255: labels of 63 octets and what is left over. */
export function longName(octets: number, letter = 'a'): Buffer {
  const labels: Buffer[] = [];
  let left = octets - 1;
  while (left > 0) {
    let size = Math.min(63, left - 1);
    // One octet cannot be a label of its own.
    if (left - 1 - size === 1) size--;
    labels.push(Buffer.alloc(size, letter));
    left -= 1 + size;
  }
  return labelled(...labels);
}
