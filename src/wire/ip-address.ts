import type { Prefix } from './prefix.ts';

/** An address as one value: words of 32 bits in network order, unsigned; of IPv4 `w0` alone, and the others are 0. */
export interface IpAddress {
  /** As the socket saw it: a mapped address is of IPv6, and `isMapped` tells. */
  readonly family: 4 | 6;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

/** An address that is filled again and again. */
export interface AddressWords {
  family: 4 | 6;
  w0: number;
  w1: number;
  w2: number;
  w3: number;
}

/** What has an address of its own, and may take another's. */
export class HeldAddress implements AddressWords {
  family: 4 | 6 = 4;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;

  takeAddress({ family, w0, w1, w2, w3 }: IpAddress): void {
    this.family = family;
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
  }

  /** A mapped address becomes its IPv4 address. */
  unmap(): void {
    if (!isMapped(this)) return;
    this.family = 4;
    this.w0 = this.w3;
    this.w2 = 0;
    this.w3 = 0;
  }
}

export function ipAddress(family: 4 | 6, w0: number, w1 = 0, w2 = 0, w3 = 0): IpAddress {
  return { family, w0, w1, w2, w3 };
}

/** The first address of a prefix; of a single address, that. */
export function firstOf({ family, words }: Pick<Prefix, 'family' | 'words'>): IpAddress {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
  return { family, w0, w1, w2, w3 };
}

/** Whether it is an IPv4-mapped address, ::ffff:0:0/96 (RFC 4291 §2.5.5.2): `w3` is the IPv4 address. */
export function isMapped({ family, w0, w1, w2 }: IpAddress): boolean {
  return family === 6 && w0 === 0 && w1 === 0 && w2 === 0xffff;
}
