/**
 * One bounded HTTP exchange with a camera: a deadline over the whole of it (a camera that sends one byte a second is
 * still late), a limit on what is read, no redirects, no shared connections. The answer is hostile.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { GatewayError, toGatewayError } from '../errors.js';
import type { Clock } from '../platform/clock.js';

export interface SoapRequest {
  /** The device service address; only its scheme and host matter here. */
  readonly device: URL;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
  /** For the whole exchange, connecting included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** SHA-256 fingerprint of the one certificate to accept, instead of the usual check. Upper-case hex with colons. */
  readonly tlsFingerprint?: string | undefined;
  readonly clock: Clock;
}

export interface SoapReply {
  readonly status: number;
  readonly body: Buffer;
  /** Values of WWW-Authenticate, one per header. */
  readonly challenges: readonly string[];
  /** Gateway UTC milliseconds around the exchange; their difference is monotonic. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

const portRemedy = 'Check the port; a camera that only takes HTTPS needs an address that begins with https://.';

/** Throws `io-failed` (not reached, too late, no trust in the certificate) or `input-invalid` (too much, not HTTP). */
export async function postSoap(request: SoapRequest): Promise<SoapReply> {
  const { device, port, path, headers, body, timeoutMs, maxBytes, clock } = request;
  const host = device.hostname.replace(/^\[|\]$/g, '');
  const place = `${host}:${port}`;
  const signal = AbortSignal.timeout(timeoutMs);
  let socket: Socket | undefined;
  try {
    const tls = device.protocol === 'https:' ? await connectTls(host, port, request.tlsFingerprint, signal) : undefined;
    socket = tls;
    const sentMs = clock.nowUs() / 1000;
    const startMs = clock.monotonicMs();
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = httpRequest(
        {
          host,
          port,
          path,
          method: 'POST',
          headers: { ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' },
          signal,
          // With an agent, even none at all, node:http would open a connection of its own.
          ...(tls === undefined ? { agent: false } : { createConnection: () => tls }),
        },
        resolve,
      );
      // Stays attached after the answer has begun: a late reset must not become an uncaught "error" event.
      outgoing.on('error', reject);
      // An answer such as 101 ends the connection without an error; after the answer has begun this does nothing.
      outgoing.on('close', () => {
        reject(
          new GatewayError('input-invalid', `${place} does not speak HTTP as a camera does.`, { remedy: portRemedy }),
        );
      });
      outgoing.on('socket', (used) => (socket = used));
      // As bytes: a string would make node:http send the headers, too, in the encoding of the body.
      outgoing.end(Buffer.from(body));
    });
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) {
        throw new GatewayError('input-invalid', `${place} sends more than ${maxBytes} bytes as one answer.`, {
          remedy: 'Find out what answers at this address: no camera needs that much.',
        });
      }
      chunks.push(chunk);
    }
    const receivedMs = sentMs + (clock.monotonicMs() - startMs);
    const raw = response.rawHeaders;
    const challenges = raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === 'www-authenticate');
    return { status: response.statusCode ?? 0, body: Buffer.concat(chunks), challenges, sentMs, receivedMs };
  } catch (thrown) {
    throw explain(thrown, place, signal.aborted ? timeoutMs : null);
  } finally {
    socket?.destroy();
  }
}

/** Connects and checks the certificate BEFORE a byte of the request, which carries credentials, is written. */
async function connectTls(
  host: string,
  port: number,
  pin: string | undefined,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const socket = tlsConnect({
    host,
    port,
    rejectUnauthorized: false,
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
  const onAbort = (): void => void socket.destroy(new Error('late'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    const seen = socket.getPeerCertificate().fingerprint256;
    const trusted = pin === undefined ? socket.authorized : seen === pin;
    if (!trusted) {
      throw new GatewayError(
        'io-failed',
        pin === undefined
          ? `${host}:${port} shows a certificate that nobody vouches for (${String(socket.authorizationError)}).`
          : `${host}:${port} shows another certificate than the one in the configuration.`,
        {
          remedy:
            `The certificate shown has the SHA-256 fingerprint ${seen}. Compare it with the one on the camera's own ` +
            'page; if they are the same, set cameras[].onvif.tlsFingerprint to it.',
        },
      );
    }
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function explain(thrown: unknown, place: string, lateAfterMs: number | null): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  if (lateAfterMs !== null) {
    return new GatewayError('io-failed', `${place} did not finish its answer within ${lateAfterMs} ms.`, {
      remedy: 'Check that the device is on and not overloaded, and that this is its address.',
      cause: thrown,
    });
  }
  const error = toGatewayError(thrown);
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  if (code.startsWith('HPE_')) {
    return new GatewayError('input-invalid', `${place} does not speak HTTP (${error.message}).`, {
      remedy: portRemedy,
      cause: thrown,
    });
  }
  const why =
    {
      ECONNREFUSED: 'nothing listens on this port',
      ECONNRESET: 'it hung up',
      EPIPE: 'it hung up',
      EHOSTUNREACH: 'there is no such host on the network',
      ENETUNREACH: 'there is no route to its network',
      ENOTFOUND: 'its name is unknown',
    }[code] ?? error.message;
  return new GatewayError('io-failed', `${place} cannot be asked: ${why}.`, {
    remedy: 'Check that the device is on, that ONVIF is switched on in it, and that address and port are right.',
    cause: thrown,
  });
}
