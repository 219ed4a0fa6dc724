import type { AlertSettings, SinkSetting } from '../../settings/alert-settings.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { EventSource, Kind, Placed } from '../event.ts';
import { Delivery } from './delivery.ts';
import { makeSink } from './make-sink.ts';
import { CLOCK, type DeliveryState, type Sending, type SinkClock } from './sink.ts';

interface Running {
  readonly setting: SinkSetting;
  readonly isDurable: boolean;
  readonly delivery: Delivery;
}

/** The sinks that are in force. */
export class Sinks {
  readonly #source: EventSource;
  readonly #clock: SinkClock;
  readonly #onChange: (state: DeliveryState) => void;
  readonly #running = new Map<string, Running>();

  /** `onChange` hears when a sink is in trouble, is refused, and is in order again. */
  constructor(source: EventSource, onChange: (state: DeliveryState) => void, clock: SinkClock = CLOCK) {
    this.#source = source;
    this.#onChange = onChange;
    this.#clock = clock;
  }

  /**
   * Takes what the settings say now. A sink whose setting is the same goes on, with its files read and opened anew. The source must
   * know the names already.
   */
  async configure({ sinks, isDurable }: Pick<AlertSettings, 'sinks' | 'isDurable'>): Promise<void> {
    const wanted = new Map(sinks.map((setting) => [setting.name, setting]));
    const leaving = [...this.#running].filter(([name, running]) => {
      const setting = wanted.get(name);
      return setting === undefined || !isSame(running, { setting, isDurable });
    });
    await Promise.all(
      leaving.map(async ([name, { delivery }]) => {
        this.#running.delete(name);
        await delivery.close();
      }),
    );
    for (const setting of sinks) {
      const there = this.#running.get(setting.name);
      if (there !== undefined) void there.delivery.reload();
      else this.#running.set(setting.name, await this.#start(setting, isDurable));
    }
  }

  /** There are new events. */
  wake(): void {
    for (const { delivery } of this.#running.values()) delivery.wake();
  }

  /** The cursor of a sink was moved back. */
  rewind(name: string): void {
    this.#running.get(name)?.delivery.rewind();
  }

  get states(): readonly DeliveryState[] {
    return [...this.#running.values()].map(({ delivery }) => delivery.state);
  }

  /** Sends events to a sink past all that waits, over a connection of its own; null where there is no such sink. */
  async tryOut(name: string, events: readonly Placed[], patience: Milliseconds): Promise<Sending | null> {
    const running = this.#running.get(name);
    if (running === undefined) return null;
    const sink = await makeSink(running.setting, running.isDurable, this.#clock);
    try {
      const sending = await sink.send(events, AbortSignal.timeout(patience));
      // What counts only while its connection stays open is not ended by us.
      await sending.held;
      return sending;
    } finally {
      sink.close();
    }
  }

  /** Certificates, keys and tokens are read anew, and files are opened anew. */
  renew(): void {
    for (const { delivery } of this.#running.values()) void delivery.reload();
  }

  /** Whether each has sent what there is, or is in trouble. */
  get areDone(): boolean {
    return [...this.#running.values()].every(({ delivery }) => delivery.isDone);
  }

  async close(): Promise<void> {
    const all = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(all.map(({ delivery }) => delivery.close()));
  }

  async #start(setting: SinkSetting, isDurable: boolean): Promise<Running> {
    const delivery = new Delivery({
      name: setting.name,
      selection: { kinds: new Set<Kind>([...setting.kinds, 'dropped']), minSeverity: setting.minSeverity },
      source: this.#source,
      sink: await makeSink(setting, isDurable, this.#clock),
      clock: this.#clock,
      random: Math.random,
      onChange: this.#onChange,
    });
    delivery.start();
    return { setting, isDurable, delivery };
  }
}

function isSame(a: Omit<Running, 'delivery'>, b: Omit<Running, 'delivery'>): boolean {
  return a.isDurable === b.isDurable && JSON.stringify(a.setting) === JSON.stringify(b.setting);
}
