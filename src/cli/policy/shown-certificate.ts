import { readFileSync } from 'node:fs';
import type { Trusts } from '../../assembly/trust/trusts.ts';
import { readChain } from '../../identity/certificate-file.ts';
import { findCertificate, TWO } from '../../policy/certificates.ts';
import { UNKNOWN } from '../../policy/identity.ts';
import type { Identity, Snapshot } from '../../policy/snapshot.ts';
import type { Credential } from '../../resolve/client/credential.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import { enumerate } from '../terminal.ts';

/** As whom a client is seen that shows a certificate. */
export interface SeenClient {
  /** Null where the handshake fails: nobody answers. */
  readonly identity: Identity | null;
  /** What is to be said beside, one line each. */
  readonly remarks: readonly string[];
}

/**
 * Judges the certificates of a PEM or DER file as the TLS listeners would at `epoch` (seconds since 1970): the first listener
 * that accepts them decides. A text where they cannot be judged.
 */
export function seeCertificate(
  file: string,
  trusts: Trusts,
  snapshot: Snapshot,
  epoch: EpochSeconds,
): SeenClient | string {
  let octets: Buffer;
  try {
    octets = readFileSync(file);
  } catch (error) {
    return `--cert ${file}: ${(error as Error).message}`;
  }
  const chain = readChain(octets);
  if (chain.length === 0) return `--cert ${file} holds no certificate: write a file in PEM or DER`;
  const remarks: string[] = [];
  let judged = false;
  for (const [place, { trust }] of trusts) {
    if (trust === null) continue;
    judged = true;
    const listener = place.split(' ').slice(1, 3).join(' port ');
    const judgement = trust.judge(chain, epoch);
    if (judgement.kind === 'accepted') return recognise(judgement.credential, snapshot);
    remarks.push(
      `the listener at ${listener} refuses the handshake: ${judgement.rule}: ${judgement.message}`,
    );
  }
  if (judged) return { identity: null, remarks };
  return 'no tls:// listener of this config asks clients for a certificate';
}

function recognise({ names, fault }: Credential, snapshot: Snapshot): SeenClient {
  if (fault !== null)
    return { identity: UNKNOWN, remarks: [`the certificate breaks the rule ${fault.rule}: ${fault.text}`] };
  const index = findCertificate(snapshot.certificates, names);
  const identity = snapshot.identities[index];
  if (identity !== undefined) return { identity, remarks: [] };
  const why = index === TWO ? 'two identities claim it' : 'no identity claims it';
  return { identity: UNKNOWN, remarks: [`${why}; it can be known by: ${enumerate([...names])}`] };
}
