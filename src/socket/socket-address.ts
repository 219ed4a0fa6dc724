import { isIPv6 } from 'node:net';

export const AF_INET = 2;
export const AF_INET6 = 10;

/** struct sockaddr_in6; sockaddr_in is shorter. */
export const ADDRESS_SIZE = 28;

/**
 * struct sockaddr_in or sockaddr_in6 of a literal address, in 64 octets. `scope`: of an IPv6 address, the index of its
 * interface (RFC 4007 §6).
 */
export function socketAddress(host: string, port: number, scope = 0): Buffer {
  const out = Buffer.alloc(64);
  const six = isIPv6(host);
  out.writeUInt16LE(six ? AF_INET6 : AF_INET, 0);
  out.writeUInt16BE(port, 2);
  if (!six) {
    host.split('.').forEach((octet, i) => {
      out[4 + i] = Number(octet);
    });
    return out;
  }
  out.writeUInt32LE(scope, 24);
  const [head = '', tail] = host.split('::');
  const left = groupsOf(head);
  const right = groupsOf(tail ?? '');
  left.forEach((group, i) => {
    out.writeUInt16BE(group, 8 + 2 * i);
  });
  right.forEach((group, i) => {
    out.writeUInt16BE(group, 24 - 2 * (right.length - i));
  });
  return out;
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
