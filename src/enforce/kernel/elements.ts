import type { Milliseconds } from '../../wire/quantity.ts';
import {
  type KernelFault,
  type NetfilterExchange,
  NLM,
  nfTables,
  type TransactionPart,
} from './netlink-exchange.ts';
import { attributesOf, eachAttribute, type NetlinkWriter } from './netlink-message.ts';

export const TABLE = 'namegate';

/** Messages of nf_tables (linux/netfilter/nf_tables.h). */
export const MESSAGE = {
  GET_TABLE: 1,
  GET_CHAIN: 4,
  GET_RULE: 7,
  GET_SET: 10,
  NEW_ELEMENT: 12,
  GET_ELEMENT: 13,
  DELETE_ELEMENT: 14,
  GET_OBJECT: 19,
  DESTROY_ELEMENT: 30,
} as const;

const LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const;
const ELEMENT = { KEY: 1, TIMEOUT: 4, EXPIRATION: 5 } as const;
const LIST_ELEMENT = 1;
const DATA_VALUE = 1;
const NFPROTO_INET = 1;
const ENOENT = 2;

/** Elements that one message holds: the length of an attribute has 16 bits. */
const MOST = 400;

/** A change of one element of a set with timeouts: it is there for `ttl` milliseconds from now, or it is not there (null). */
export interface ElementChange {
  readonly set: string;
  readonly key: Buffer;
  readonly ttl: Milliseconds | null;
}

/** An element that a set holds. `left`: milliseconds, or null for one without an end. */
export interface HeldElement {
  readonly key: Buffer;
  readonly left: number | null;
}

/** See `refreshes` and `destroys` of SetElements. */
export interface KernelSkills {
  readonly refreshes: boolean;
  readonly destroys: boolean;
}

/**
 * The elements of the sets of a table, `inet namegate` unless another is named. `refreshes`: the kernel gives an element that is there another end
 * when TIMEOUT and EXPIRATION come together. Older ones take it and change nothing, so that there an element is taken out and
 * put in again in one transaction.
 */
export class SetElements {
  readonly #exchange: NetfilterExchange;
  readonly #table: string;
  #refreshes: boolean;
  #destroys: boolean;

  /** What the kernel can is what every kernel can, until `probe` finds out more. */
  constructor(
    exchange: NetfilterExchange,
    table: string = TABLE,
    { refreshes, destroys }: KernelSkills = { refreshes: false, destroys: false },
  ) {
    this.#exchange = exchange;
    this.#table = table;
    this.#refreshes = refreshes;
    this.#destroys = destroys;
  }

  /** Those of another table, with what was found out about the kernel. */
  of(table: string): SetElements {
    return new SetElements(this.#exchange, table, this);
  }

  get refreshes(): boolean {
    return this.#refreshes;
  }

  /** Whether taking out an element that is not there is no fault (Linux 6.3). */
  get destroys(): boolean {
    return this.#destroys;
  }

  /** Finds out what the kernel does, with an element of `set`. Returns errno where it takes no element at all. */
  probe(set: string, key: Buffer): number {
    this.#destroys =
      this.#exchange.commit(parts(this.#table, [{ set, key, ttl: null }], MESSAGE.DESTROY_ELEMENT)).length ===
      0;
    const first = this.#exchange.commit(parts(this.#table, [{ set, key, ttl: 10_000 }], 0));
    if (first.length > 0) return first[0]!.errno;
    const again = this.#exchange.commit(parts(this.#table, [{ set, key, ttl: 60_000 }], 0));
    const held = this.list(set).find((each) => each.key.equals(key));
    this.#refreshes = again.length === 0 && (held?.left ?? 0) > 10_000;
    this.#exchange.commit(parts(this.#table, [{ set, key, ttl: null }], MESSAGE.DELETE_ELEMENT));
    return 0;
  }

  /** Puts all changes in force, in their order, or none. Empty: they are in force. */
  commit(changes: readonly ElementChange[]): KernelFault[] {
    const { DELETE_ELEMENT, DESTROY_ELEMENT } = MESSAGE;
    const whole: ElementChange[] = [];
    for (const change of changes) {
      if (change.ttl !== null && !this.#refreshes && this.#destroys) whole.push({ ...change, ttl: null });
      whole.push(change);
    }
    if (whole.length === 0) return [];
    if (this.#destroys) return this.#exchange.commit(parts(this.#table, whole, DESTROY_ELEMENT));
    return this.#withoutDestroy(whole, DELETE_ELEMENT);
  }

  /**
   * Before Linux 6.3 each element goes by itself, since one that has ended meanwhile would fail all of it. What gets another
   * end is out and in again in one transaction: no packet finds it missing.
   */
  #withoutDestroy(changes: readonly ElementChange[], remove: number): KernelFault[] {
    for (const change of changes) {
      const gone = { ...change, ttl: null };
      const both = change.ttl === null ? [gone] : this.#refreshes ? [change] : [gone, change];
      let faults = this.#exchange.commit(parts(this.#table, both, remove));
      const wasThere = !faults.some(({ errno }) => errno === ENOENT);
      if (!wasThere && both[0] === gone)
        faults = change.ttl === null ? [] : this.#exchange.commit(parts(this.#table, [change], remove));
      if (faults.length > 0) return faults;
    }
    return [];
  }

  /** What a set holds. Throws where there is no such set. */
  list(set: string): HeldElement[] {
    const held: HeldElement[] = [];
    const write = (writer: NetlinkWriter): void => {
      writer.text(LIST.TABLE, this.#table);
      writer.text(LIST.SET, set);
    };
    this.#exchange.dump(nfTables(MESSAGE.GET_ELEMENT), NFPROTO_INET, write, (body) => {
      const elements = attributesOf(body.subarray(4)).get(LIST.ELEMENTS);
      if (elements === undefined) return;
      for (const { value } of eachAttribute(elements)) {
        const attributes = attributesOf(value);
        const data = attributes.get(ELEMENT.KEY);
        const key = data === undefined ? undefined : attributesOf(data).get(DATA_VALUE);
        if (key === undefined) continue;
        const left = attributes.get(ELEMENT.EXPIRATION);
        held.push({ key, left: left === undefined ? null : Number(left.readBigUInt64BE(0)) });
      }
    });
    return held;
  }
}

/** Runs of changes of one kind to one set, as messages. `remove`: the message that takes elements out. */
function parts(table: string, changes: readonly ElementChange[], remove: number): TransactionPart[] {
  const made: TransactionPart[] = [];
  for (let from = 0; from < changes.length; ) {
    const { set, ttl } = changes[from]!;
    let to = from + 1;
    while (
      to < changes.length &&
      to - from < MOST &&
      changes[to]!.set === set &&
      (changes[to]!.ttl === null) === (ttl === null)
    )
      to++;
    const run = changes.slice(from, to);
    made.push({
      message: ttl === null ? remove : MESSAGE.NEW_ELEMENT,
      flags: ttl === null ? 0 : NLM.CREATE,
      write: (writer) => writeElements(writer, table, set, run),
    });
    from = to;
  }
  return made;
}

function writeElements(
  writer: NetlinkWriter,
  table: string,
  set: string,
  changes: readonly ElementChange[],
): void {
  writer.text(LIST.TABLE, table);
  writer.text(LIST.SET, set);
  const elements = writer.nest(LIST.ELEMENTS);
  for (const { key, ttl } of changes) {
    const element = writer.nest(LIST_ELEMENT);
    const data = writer.nest(ELEMENT.KEY);
    writer.put(DATA_VALUE, key);
    writer.close(data);
    if (ttl !== null && Number.isFinite(ttl)) {
      // Both, or an element that is there keeps its end.
      writer.u64(ELEMENT.TIMEOUT, Math.max(1, Math.ceil(ttl)));
      writer.u64(ELEMENT.EXPIRATION, Math.max(1, Math.ceil(ttl)));
    }
    writer.close(element);
  }
  writer.close(elements);
}
