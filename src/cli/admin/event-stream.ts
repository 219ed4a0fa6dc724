/** An event of a stream; `data` is its text. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** Characters of one line: a stream that has longer ones is none of ours. */
const MOST_LINE = 2 ** 20;

/** Reads `text/event-stream` piece by piece (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventStream {
  /** Of the last event, to go on behind it; null before the first. */
  lastId: string | null = null;
  #rest = '';
  #event = '';
  #data: string[] = [];

  /** The events that are whole with this piece. Throws where a line is too long. */
  *take(piece: string): Generator<StreamEvent> {
    const lines = `${this.#rest}${piece}`.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MOST_LINE) throw new Error('the stream has a line that is too long');
    for (const line of lines) {
      if (line !== '') {
        this.#field(line);
        continue;
      }
      const [event, data] = [this.#event, this.#data];
      this.#event = '';
      this.#data = [];
      if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n') };
    }
  }

  /** What was not whole is not to be had any more: the stream begins anew. */
  begin(): void {
    this.#rest = '';
    this.#event = '';
    this.#data = [];
  }

  #field(line: string): void {
    const [, name, value = ''] = /^([^:]*)(?:: ?([\s\S]*))?$/.exec(line) ?? [];
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.lastId = value;
  }
}
