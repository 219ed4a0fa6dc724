import { randomFillSync } from 'node:crypto';

/** Filled in bulk: one call to the generator serves hundreds of questions. */
const pool = Buffer.alloc(4096);
let used = pool.length;

export function randomOctet(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return pool[used++]!;
}

export function randomUint16(): number {
  return (randomOctet() << 8) | randomOctet();
}
