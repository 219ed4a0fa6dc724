import { createRequire } from 'node:module';

/** What OpenSSL has against a chain. `code`: a number of X509_V_ERR (x509_vfy.h). */
export interface ChainFault {
  readonly code: number;
  readonly text: string;
}

/**
 * Whether a chain is taken: 0, or the X509_V_ERR number that OpenSSL makes the alert of. The client has not proved yet that it
 * holds the key. Must not throw.
 *
 * OpenSSL verifies the chain only where `shown.verify` is called: whoever takes a chain without it must know that the same
 * one was verified in the same context.
 */
export type Examine = (shown: ShownChain) => number;

/** What the client of the handshake of now has shown. Good within `Examine` alone. */
export interface ShownChain {
  /** Which TLS context the handshake is of: another number, perhaps other CAs. */
  readonly context: number;
  /** The certificates in DER, one behind the other, the leaf first. Written over by the next handshake. */
  readonly octets: Buffer;
  /** A copy of each. */
  certificates(): Buffer[];
  /** Builds and verifies the path, signatures and dates included; returns what is wrong, or null. */
  verify(): ChainFault | null;
}

/** X509_V_ERR numbers, and the alert that OpenSSL sends for each (RFC 8446 §6.2). */
export const X509_ERROR = {
  /** unknown_ca */
  NO_CRL: 3,
  /** certificate_expired */
  EXPIRED: 10,
  /** unknown_ca */
  NO_ISSUER: 20,
  /** certificate_revoked */
  REVOKED: 23,
  /** unsupported_certificate */
  PURPOSE: 26,
  /** bad_certificate */
  REJECTED: 28,
} as const;

/** Certificates of a chain that are handed on: one more than a judge takes. */
const MOST = 9;
/** CRYPTO_EX_INDEX_SSL_CTX (crypto.h). */
const SSL_CTX = 1;
/** A context's callback is handed one number: whose examination it is, so many times, and which context. */
const CONTEXTS = 2 ** 32;
/** Octets of a chain; OpenSSL takes 100 KiB of certificates. */
const LARGEST_CHAIN = 128 * 1024;

type Call = (...args: unknown[]) => unknown;
/** An address as a number: the objects that koffi makes of pointers burden the collector. Those of user space are below 2^53. */
type Pointer = number;

interface Koffi {
  load(path: null): { func(prototype: string): Call };
  proto(prototype: string): unknown;
  pointer(type: unknown): unknown;
  register(callback: (...args: never[]) => unknown, type: unknown): unknown;
  address(value: Buffer | Uint32Array): bigint;
}

/**
 * The check of a client's chain within the handshake. Node takes any chain there, and closes the socket when the handshake is
 * done, so that a client cannot learn why (26.10). OpenSSL itself is asked here to let us decide in time: then it sends the
 * alert that says what is wrong. A check only ever refuses more than Node does.
 */
export class ChainCheck {
  readonly #openssl: ReturnType<typeof bind>;
  readonly #examines = new Map<number, Examine>();
  readonly #made: unknown;
  readonly #decide: unknown;
  /** While a context is being made: those that OpenSSL has told of. */
  #contexts: Pointer[] | null = null;
  #last = 0;
  #lastContext = 0;
  readonly #shown: StoreChain;

  /** Throws where a symbol of OpenSSL is not to be had. */
  constructor(koffi: Koffi) {
    const lib = koffi.load(null);
    this.#openssl = bind((prototype) => lib.func(prototype));
    this.#shown = new StoreChain(this.#openssl, koffi);
    const made = koffi.proto('void namegate_context_made(intptr_t, void *, void *, int, long, void *)');
    const decide = koffi.proto('int namegate_decide_chain(intptr_t, intptr_t)');
    this.#made = koffi.register((context: Pointer) => {
      this.#contexts?.push(Number(context));
    }, koffi.pointer(made));
    this.#decide = koffi.register(
      (store: Pointer, argument: number) => this.#decides(Number(store), Number(argument)),
      koffi.pointer(decide),
    );
  }

  /** Returns a number for `within` and `remove`. */
  add(examine: Examine): number {
    this.#examines.set(++this.#last, examine);
    return this.#last;
  }

  /** From now on every certificate is refused that a client shows in handshakes of its contexts. */
  remove(id: number): void {
    this.#examines.delete(id);
  }

  /**
   * Runs `make`, which makes one TLS context, and puts an examination into it. Where OpenSSL does not tell of just one, Node's
   * way stays for that context: chains are refused when the handshake is done. Throws what `make` throws.
   */
  within<T>(id: number, make: () => T): T {
    const { newIndex, freeIndex, setVerify } = this.#openssl;
    const contexts: Pointer[] = [];
    this.#contexts = contexts;
    // OpenSSL tells of each context that is made while there is such an index.
    const index = newIndex(SSL_CTX, 0, null, this.#made, null, null);
    try {
      const made = make();
      if (contexts.length === 1) setVerify(contexts[0], this.#decide, id * CONTEXTS + ++this.#lastContext);
      return made;
    } finally {
      freeIndex(SSL_CTX, index);
      this.#contexts = null;
    }
  }

  /** OpenSSL's call within a handshake: 1 takes the chain. An exception would be lost here, so it refuses. */
  #decides(store: Pointer, argument: number): number {
    const { setError, clearErrors } = this.#openssl;
    const shown = this.#shown;
    try {
      shown.begin(store, argument % CONTEXTS);
      const refused = this.#examines.get(Math.floor(argument / CONTEXTS))?.(shown) ?? X509_ERROR.REJECTED;
      // Node takes the code of the first error that is left behind: that is to be the handshake's.
      clearErrors();
      if (shown.failed) return 0;
      if (refused !== 0) setError(store, refused);
      return refused === 0 ? 1 : 0;
    } catch {
      return 0;
    } finally {
      shown.end();
    }
  }
}

/** One for all handshakes: OpenSSL ends this call before another handshake goes on. */
class StoreChain implements ShownChain {
  context = 0;
  octets: Buffer;
  /** OpenSSL was asked, and found a fault. */
  failed = false;
  readonly #openssl: ReturnType<typeof bind>;
  #store: Pointer = 0;
  readonly #room = Buffer.allocUnsafeSlow(LARGEST_CHAIN);
  readonly #roomAt: Pointer;
  /** Where each certificate ends in the room. */
  #ends: number[] = [];
  /** Where a certificate's octets go, low word first: a pointer that OpenSSL moves on. */
  readonly #out = new Uint32Array(2);
  readonly #outAt: Pointer;

  constructor(openssl: ReturnType<typeof bind>, koffi: Koffi) {
    this.#openssl = openssl;
    this.#roomAt = Number(koffi.address(this.#room));
    this.#outAt = Number(koffi.address(this.#out));
    this.octets = this.#room.subarray(0, 0);
  }

  /** Throws where the chain is too large. */
  begin(store: Pointer, context: number): void {
    const { untrusted, count, at, encode } = this.#openssl;
    this.#store = store;
    this.context = context;
    this.failed = false;
    this.#ends = [];
    const stack = Number(untrusted(store));
    const most = Math.min(Number(count(stack)), MOST);
    let used = 0;
    for (let i = 0; i < most; i++) {
      const certificate = Number(at(stack, i));
      const length = Number(encode(certificate, 0));
      if (length <= 0 || length > LARGEST_CHAIN - used) throw new Error('the chain is too large');
      const address = this.#roomAt + used;
      this.#out[0] = address % 2 ** 32;
      this.#out[1] = Math.floor(address / 2 ** 32);
      encode(certificate, this.#outAt);
      used += length;
      this.#ends.push(used);
    }
    this.octets = this.#room.subarray(0, used);
  }

  end(): void {
    this.#store = 0;
  }

  certificates(): Buffer[] {
    return this.#ends.map((end, i) => Buffer.from(this.octets.subarray(this.#ends[i - 1] ?? 0, end)));
  }

  verify(): ChainFault | null {
    if (this.#store === 0) throw new Error('the handshake has gone on');
    const { verify, error, errorText } = this.#openssl;
    const verified = Number(verify(this.#store)) > 0;
    // Node's callback lets everything pass, and what is wrong stands here.
    const code = Number(error(this.#store));
    if (verified && code === 0) return null;
    this.failed = true;
    return { code, text: String(errorText(code)) };
  }
}

function bind(func: (prototype: string) => Call) {
  return {
    newIndex: func('int CRYPTO_get_ex_new_index(int, long, void *, void *, void *, void *)'),
    freeIndex: func('int CRYPTO_free_ex_index(int, int)'),
    setVerify: func('void SSL_CTX_set_cert_verify_callback(intptr_t, void *, intptr_t)'),
    verify: func('int X509_verify_cert(intptr_t)'),
    error: func('int X509_STORE_CTX_get_error(intptr_t)'),
    setError: func('void X509_STORE_CTX_set_error(intptr_t, int)'),
    errorText: func('const char *X509_verify_cert_error_string(long)'),
    clearErrors: func('void ERR_clear_error()'),
    untrusted: func('intptr_t X509_STORE_CTX_get0_untrusted(intptr_t)'),
    count: func('int OPENSSL_sk_num(intptr_t)'),
    at: func('intptr_t OPENSSL_sk_value(intptr_t, int)'),
    encode: func('int i2d_X509(intptr_t, intptr_t)'),
  };
}

let loaded: ChainCheck | null | undefined;

/** One for the process, or null where koffi or OpenSSL's symbols are not to be had. */
export function chainCheck(): ChainCheck | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): ChainCheck | null {
  // A pointer is written above as these two have it: 64 bits, the low ones first.
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  try {
    return new ChainCheck(createRequire(import.meta.url)('koffi') as Koffi);
  } catch {
    return null;
  }
}
