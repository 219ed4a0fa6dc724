import { Upstream } from '../server/upstream.ts';
import { KINDS, largeReply } from './large-replies.ts';

/**
 * An upstream in a process of its own, so that what it sends does not disturb what takes the times. It answers over TCP:
 * about `q.nN.kK.large.example` with a reply of the K-th kind, about other names with an address. Writes its URL.
 */

const upstream = new Upstream(({ octets, name, over }, to) => {
  const kind = KINDS[Number(/\.k(\d+)\.large\.example\.$/.exec(name)?.[1] ?? -1)];
  if (over === 'udp') to.reply({ flags: 0x200 });
  else if (kind === undefined) to.reply({ answer: [`${name} 300 A 198.51.100.1`] });
  else to.send(largeReply(kind, octets));
});
await upstream.open();
process.stdout.write(`${upstream.url}\n`);
// Ends with the test, whatever becomes of that.
process.stdin.on('end', () => process.exit()).resume();
