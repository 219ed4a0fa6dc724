/**
 * What signals mean to `serve`, `stub` and `enforce`. It is the first thing that main.ts does for them, before the rest is loaded: a
 * signal that arrives meanwhile is remembered or ignored, and never has Node's default effect. This file imports nothing,
 * so that no import comes first.
 */
export class Signals {
  #ended: string | null = null;
  #whenEnded: ((signal: string) => void) | null = null;
  #reloadWanted = false;
  #onReload: (() => void) | null = null;

  /** Takes over SIGTERM and SIGINT (end), SIGHUP (reload), and those that mean nothing here. */
  constructor() {
    for (const signal of ENDING) process.on(signal, () => this.#end(signal));
    process.on('SIGHUP', () => this.#reload());
    for (const signal of MEANINGLESS) ignore(signal);
  }

  /** Resolves with the first signal to end, also one that came earlier; later ones change nothing, for every drain has an end. */
  untilEnd(): Promise<string> {
    return new Promise((resolve) => {
      if (this.#ended !== null) resolve(this.#ended);
      else this.#whenEnded = resolve;
    });
  }

  /** From now on SIGHUP calls `reload`; one that came earlier does so now. */
  onReload(reload: () => void): void {
    this.#onReload = reload;
    if (this.#reloadWanted) reload();
    this.#reloadWanted = false;
  }

  #end(signal: string): void {
    this.#ended ??= signal;
    this.#whenEnded?.(this.#ended);
  }

  #reload(): void {
    if (this.#onReload === null) this.#reloadWanted = true;
    else this.#onReload();
  }
}

const ENDING = ['SIGTERM', 'SIGINT'] as const;

/**
 * By default each of these ends a process, but for SIGUSR1, which opens Node's debugger (see runtime-options.ts).
 * SIGQUIT and SIGABRT keep their effect: they ask for a core dump.
 */
const MEANINGLESS = [
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
] as const;

function ignore(signal: NodeJS.Signals): void {
  try {
    process.on(signal, () => {});
  } catch {
    // This system has no such signal.
  }
}

let taken: Signals | null = null;

/** The one that this process has: whoever asks first takes the signals over. */
export function takeSignals(): Signals {
  taken ??= new Signals();
  return taken;
}
