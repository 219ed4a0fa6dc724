/** What has to be done now and then while the server runs. Nothing here keeps the process alive. */
export class Chores {
  readonly #timers: NodeJS.Timeout[] = [];

  /** Runs `chore` every `ms` milliseconds from now on. */
  every(ms: number, chore: () => void): void {
    const timer = setInterval(chore, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  stop(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }
}
