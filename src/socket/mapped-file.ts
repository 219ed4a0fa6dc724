import { createRequire } from 'node:module';

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

interface Koffi {
  load(path: null): { func(prototype: string): (...args: unknown[]) => unknown };
  view(address: unknown, length: number): ArrayBuffer;
}

/**
 * The first `length` octets of an open file as memory, shared with every other reader of the file: what is written is the
 * kernel's at once, and outlives the process however that ends. It stays until the process ends. The file must be as long as
 * that and have all its blocks, else a write ends the process (SIGBUS). Gives a text where memory cannot be had: not on Linux
 * with 64 bits, without koffi, or as the system says.
 */
export function mapFile(descriptor: number, length: number): ArrayBuffer | string {
  const supported = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  if (!supported) return `${process.platform} on ${process.arch}`;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const mmap = koffi.load(null).func('void *mmap(void *, size_t, int, int, int, int64_t)');
    const address = mmap(null, length, PROT_READ_WRITE, MAP_SHARED, descriptor, 0);
    // MAP_FAILED is the largest address there is.
    if (address === null || BigInt.asUintN(64, BigInt(address as bigint)) === 0xffff_ffff_ffff_ffffn)
      return 'the system maps no file';
    return koffi.view(address, length);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
