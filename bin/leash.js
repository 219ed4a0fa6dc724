/**
 * Loaded into the program when the launcher runs it as a child. The end of the launcher, however it came, is a SIGTERM:
 * without it a killed launcher would leave a server behind that holds its ports and that nobody supervises. And it tells
 * the launcher that the runtime has started, and when the program takes signals, which are held back until then.
 */
if (process.channel !== undefined && process.channel !== null) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel.unref();
  say('started');
  process.on('newListener', watchSignals);
}

/** SIGUSR1 is the first that the program takes, and the others follow before anything else runs. */
function watchSignals(event) {
  if (event !== 'SIGUSR1') return;
  process.off('newListener', watchSignals);
  process.nextTick(say, 'takes-signals');
}

function say(what) {
  // A launcher that is gone needs no word.
  process.send(what, () => {});
}
