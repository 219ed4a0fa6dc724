/**
 * Loaded into the program when the launcher runs it as a child: the end of the launcher, however it came, is a SIGTERM.
 * Without it a killed launcher would leave a server behind that holds its ports and that nobody supervises.
 */
if (process.channel !== undefined && process.channel !== null) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel.unref();
}
