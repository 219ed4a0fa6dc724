import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { MIN_VERSION } from '../socket/tls-connector.ts';

let systemContext: SecureContext | null = null;

/** What an upstream's certificate must chain to: the CAs given as PEM, or the system's. Throws where the text holds no certificate. */
export function serverTrust(ca: string | null): SecureContext {
  if (ca !== null) return createSecureContext({ ca, minVersion: MIN_VERSION });
  if (systemContext === null) {
    const system = getCACertificates('system');
    // A machine without a store: the list that comes with Node.
    systemContext = createSecureContext({
      ca: system.length > 0 ? system : getCACertificates('bundled'),
      minVersion: MIN_VERSION,
    });
  }
  return systemContext;
}
