import { createRequire } from 'node:module';

/** What OpenSSL has against a chain. `code`: a number of X509_V_ERR (x509_vfy.h). */
export interface ChainFault {
  readonly code: number;
  readonly text: string;
}

/**
 * Whether a chain is taken: 0, or the X509_V_ERR number that OpenSSL makes the alert of. `chain`: DER, the leaf first; the
 * client has not proved yet that it holds the key. Must not throw.
 */
export type Examine = (chain: readonly Buffer[], fault: ChainFault | null) => number;

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

type Call = (...args: unknown[]) => unknown;
type Pointer = unknown;

interface Koffi {
  load(path: null): { func(prototype: string): Call };
  proto(prototype: string): unknown;
  pointer(type: unknown): unknown;
  register(callback: (...args: never[]) => unknown, type: unknown): unknown;
  address(value: Buffer): bigint;
}

/**
 * The check of a client's chain within the handshake. Node takes any chain there, and closes the socket when the handshake is
 * done, so that a client cannot learn why (26.10). OpenSSL itself is asked here to let us decide in time: then it sends the
 * alert that says what is wrong. A check only ever refuses more than Node does.
 */
export class ChainCheck {
  readonly #koffi: Koffi;
  readonly #openssl: ReturnType<typeof bind>;
  readonly #examines = new Map<number, Examine>();
  readonly #made: unknown;
  readonly #decide: unknown;
  /** While a context is being made: those that OpenSSL has told of. */
  #contexts: Pointer[] | null = null;
  #last = 0;

  /** Throws where a symbol of OpenSSL is not to be had. */
  constructor(koffi: Koffi) {
    this.#koffi = koffi;
    const lib = koffi.load(null);
    this.#openssl = bind((prototype) => lib.func(prototype));
    const made = koffi.proto('void namegate_context_made(void *, void *, void *, int, long, void *)');
    const decide = koffi.proto('int namegate_decide_chain(void *, intptr_t)');
    this.#made = koffi.register((context: Pointer) => {
      this.#contexts?.push(context);
    }, koffi.pointer(made));
    this.#decide = koffi.register(
      (store: Pointer, id: number) => this.#decides(store, Number(id)),
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
      if (contexts.length === 1) setVerify(contexts[0], this.#decide, id);
      return made;
    } finally {
      freeIndex(SSL_CTX, index);
      this.#contexts = null;
    }
  }

  /** OpenSSL's call within a handshake: 1 takes the chain. An exception would be lost here, so it refuses. */
  #decides(store: Pointer, id: number): number {
    const { verify, error, setError, errorText, clearErrors, untrusted } = this.#openssl;
    try {
      const verified = Number(verify(store)) > 0;
      // Node's callback lets everything pass, and what is wrong stands here.
      const code = Number(error(store));
      // Node takes the code of the first error that is left behind: that is to be the handshake's.
      clearErrors();
      const fault = verified && code === 0 ? null : { code, text: String(errorText(code)) };
      const refused = this.#examines.get(id)?.(this.#read(untrusted(store)), fault) ?? X509_ERROR.REJECTED;
      if (fault === null && refused !== 0) setError(store, refused);
      return fault === null && refused === 0 ? 1 : 0;
    } catch {
      return 0;
    }
  }

  /** DER, at most MOST. */
  #read(stack: Pointer): Buffer[] {
    const { count, at, encode } = this.#openssl;
    return Array.from({ length: Math.min(Number(count(stack)), MOST) }, (_, i) => {
      const certificate = at(stack, i);
      const der = Buffer.alloc(Number(encode(certificate, null)));
      const out = Buffer.alloc(8);
      out.writeBigUInt64LE(BigInt(this.#koffi.address(der)));
      encode(certificate, out);
      return der;
    });
  }
}

function bind(func: (prototype: string) => Call) {
  return {
    newIndex: func('int CRYPTO_get_ex_new_index(int, long, void *, void *, void *, void *)'),
    freeIndex: func('int CRYPTO_free_ex_index(int, int)'),
    setVerify: func('void SSL_CTX_set_cert_verify_callback(void *, void *, intptr_t)'),
    verify: func('int X509_verify_cert(void *)'),
    error: func('int X509_STORE_CTX_get_error(void *)'),
    setError: func('void X509_STORE_CTX_set_error(void *, int)'),
    errorText: func('const char *X509_verify_cert_error_string(long)'),
    clearErrors: func('void ERR_clear_error()'),
    untrusted: func('void *X509_STORE_CTX_get0_untrusted(void *)'),
    count: func('int OPENSSL_sk_num(void *)'),
    at: func('void *OPENSSL_sk_value(void *, int)'),
    encode: func('int i2d_X509(void *, void *)'),
  };
}

let loaded: ChainCheck | null | undefined;

/** One for the process, or null where koffi or OpenSSL's symbols are not to be had. */
export function chainCheck(): ChainCheck | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): ChainCheck | null {
  // The octets of a pointer are written below as this ABI has them.
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  try {
    return new ChainCheck(createRequire(import.meta.url)('koffi') as Koffi);
  } catch {
    return null;
  }
}
