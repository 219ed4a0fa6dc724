import t from 'tap';
import { textOfPlace } from '../../src/enforce/client-place.ts';
import { readPacket } from '../../src/enforce/kernel/packet.ts';

/** An IPv4 header of 20 octets, or more with `options`. `fragment`: the 16 bits of flags and offset. */
function four(protocol: number, rest: string, fragment = 0, options = ''): string {
  const length = (20 + options.length / 2) / 4;
  const part = fragment.toString(16).padStart(4, '0');
  const hex = protocol.toString(16).padStart(2, '0');
  return `4${length.toString(16)}000028 0001${part} 40${hex}0000 0a000002 cb007101 ${options} ${rest}`;
}

function six(next: number, rest: string): string {
  const hex = next.toString(16).padStart(2, '0');
  return `60000000 0014${hex}40 fd000077000000000000000000000002 20010db8000600000000000000000001 ${rest}`;
}

const tcp = (flags: string): string => `c00001bb 00000000 00000000 50${flags}ffff 00000000`;
const UDP = 'c0000035 00080000';

t.test('the head of a packet', async (t) => {
  const rows: readonly [what: string, octets: string, wanted: string | null][] = [
    ['SYN', four(6, tcp('02')), '10.0.0.2 203.0.113.1 6 443 begins'],
    ['SYN with ECN', four(6, tcp('c2')), '10.0.0.2 203.0.113.1 6 443 begins'],
    ['SYN and ACK', four(6, tcp('12')), '10.0.0.2 203.0.113.1 6 443 middle'],
    ['ACK', four(6, tcp('10')), '10.0.0.2 203.0.113.1 6 443 middle'],
    ['no flag at all', four(6, tcp('00')), '10.0.0.2 203.0.113.1 6 443 middle'],
    ['UDP', four(17, UDP), '10.0.0.2 203.0.113.1 17 53 begins'],
    ['ICMP', four(1, '08000000'), '10.0.0.2 203.0.113.1 1 0 begins'],
    ['an error of ICMP', four(1, '03030000'), '10.0.0.2 203.0.113.1 1 0 middle'],
    ['an error of ICMPv6', six(58, '01040000'), 'fd00:77::2 2001:db8:6::1 58 0 middle'],
    ['an echo of ICMPv6', six(58, '80000000'), 'fd00:77::2 2001:db8:6::1 58 0 begins'],
    ['GRE', four(47, '00000800'), '10.0.0.2 203.0.113.1 47 0 begins'],
    ['SCTP', four(132, UDP), '10.0.0.2 203.0.113.1 132 53 begins'],
    ['options', four(17, UDP, 0, '01010101'), '10.0.0.2 203.0.113.1 17 53 begins'],
    ['a first fragment', four(17, UDP, 0x2000), '10.0.0.2 203.0.113.1 17 53 begins'],
    ['a later one has no port', four(17, UDP, 0x2001), '10.0.0.2 203.0.113.1 17 0 begins'],
    ['cut behind its header', four(17, 'c0'), '10.0.0.2 203.0.113.1 17 0 begins'],
    ['cut before its flags', four(6, 'c00001bb'), '10.0.0.2 203.0.113.1 6 443 begins'],
    ['cut within its header', '45000028', null],
    ['a header length of nothing', four(6, tcp('02')).replace('45', '40'), null],
    ['nothing', '', null],
    ['another version', '70000000', null],
    ['IPv6', six(6, tcp('02')), 'fd00:77::2 2001:db8:6::1 6 443 begins'],
    ['hop by hop, then UDP', six(0, `1100000000000000 ${UDP}`), 'fd00:77::2 2001:db8:6::1 17 53 begins'],
    ['a first fragment of IPv6', six(44, `1100000100000000 ${UDP}`), 'fd00:77::2 2001:db8:6::1 17 53 begins'],
    ['a later one of IPv6', six(44, `1100000900000000 ${UDP}`), 'fd00:77::2 2001:db8:6::1 17 0 begins'],
    ['an extension that is cut off', six(60, '1100'), 'fd00:77::2 2001:db8:6::1 60 0 begins'],
    ['an extension of 2,048 octets', six(60, '11ff000000000000'), 'fd00:77::2 2001:db8:6::1 17 0 begins'],
    ['extensions without end', six(0, '0000000000000000'.repeat(12)), 'fd00:77::2 2001:db8:6::1 0 0 begins'],
  ];
  for (const [what, octets, wanted] of rows) {
    const packet = readPacket(Buffer.from(octets.replaceAll(' ', ''), 'hex'));
    const said =
      packet &&
      [
        textOfPlace(packet.source),
        textOfPlace(packet.destination),
        packet.protocol,
        packet.port,
        packet.begins ? 'begins' : 'middle',
      ].join(' ');
    t.equal(said, wanted, what);
  }
});
