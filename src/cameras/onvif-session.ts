/**
 * Asks one camera one thing at a time. The `onvif` package writes the questions (SOAP bodies, WS-UsernameToken, HTTP
 * digest); everything that comes back is read by us alone.
 *
 * Why its `Cam` never sees an answer: it reads without a size limit, its only timeout is for a silent socket, one of its
 * expressions needs quadratic time on hostile text, it throws inside callbacks where a field is missing (which ends the
 * process), and it turns serial numbers that look like numbers into floating point and so loses their last digits. So
 * its transport is replaced: each answer reaches `Cam` as an error, and its handlers pass that on without looking.
 * test/cameras/onvif-session.test.ts holds the package to the two internal functions this rests on.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Cam } from 'onvif';
import { GatewayError, toGatewayError } from '../errors.js';
import { systemClock, type Clock } from '../platform/clock.js';
import { postSoap, type SoapReply } from './soap-http.js';
import { credentialsRefused, lacksRights, readReply } from './soap-reply.js';
import { soapLimits, type XmlElement } from './xml.js';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface SessionOptions {
  readonly credentials?: Credentials | undefined;
  /** For each single question; default 5000. */
  readonly timeoutMs?: number | undefined;
  /** For all questions together; default 20000. */
  readonly totalTimeoutMs?: number | undefined;
  /** SHA-256 fingerprint of the camera's own certificate, upper-case hex with colons; otherwise the usual check. */
  readonly tlsFingerprint?: string | undefined;
  readonly clock?: Clock | undefined;
}

export interface Answer {
  readonly response: XmlElement;
  /** Gateway UTC milliseconds around the exchange that carried this answer. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

export type AskCallback = (error: Error | null) => void;

export interface OnvifSession {
  readonly device: URL;
  /** True once the camera has refused our credentials: more tries would lock the account on many cameras. */
  readonly refused: () => boolean;
  /** Camera minus gateway, milliseconds; WS-UsernameToken must carry the camera's time. */
  setClockOffset: (offsetMs: number) => void;
  setServices: (services: ReadonlyMap<string, string>) => void;
  /**
   * Lets `put` make a Cam ask and returns the element `operation`Response. Throws `unauthenticated` (credentials missing
   * or refused), `io-failed` (not reached, too late), or `input-invalid` (an error answer, or none that makes sense).
   */
  ask: (operation: string, put: (cam: Cam, done: AskCallback) => void) => Promise<Answer>;
}

/** What of `Cam` we replace or call, though the package calls it private. Its version is pinned for this. */
interface CamInternals {
  _requestPart2: (options: CamRequest, callback: CamCallback) => void;
  _passwordDigest: () => { passdigest: string; nonce: string; timestamp: string };
  media2Support?: boolean;
}
interface CamRequest {
  readonly service?: string;
  readonly action: string;
  readonly body: string;
}
type CamCallback = (error: Error, data: null, xml: undefined, status: number) => void;

export function openSession(address: string, options: SessionOptions = {}): OnvifSession {
  const { credentials, timeoutMs = 5000, totalTimeoutMs = 20_000, tlsFingerprint, clock = systemClock } = options;
  const device = new URL(address);
  const secure = device.protocol === 'https:';
  const devicePort = device.port === '' ? (secure ? 443 : 80) : Number(device.port);
  const devicePath = device.pathname + device.search;
  const deadlineMs = clock.monotonicMs() + totalTimeoutMs;
  let clockOffsetMs = 0;
  let admitted = false;
  let refusals = 0;
  let services: ReadonlyMap<string, string> = new Map();
  let outcome: Answer | GatewayError | null = null;
  let operation = '';
  let giveUp: (reason: GatewayError) => void = () => undefined;
  // A camera that let the user in before refuses him single things; one that never did counts the tries.
  const isRefused = (): boolean => refusals > (admitted ? 2 : 0);

  if (credentials !== undefined && /[<>&"\p{Cc}]/u.test(credentials.user)) {
    throw new GatewayError('config-invalid', `The ONVIF user name for ${device.host} holds a character it must not.`, {
      remedy: 'Use a camera user without < > & " and control characters.',
    });
  }
  const cam = new Cam({
    hostname: device.hostname,
    port: devicePort,
    path: devicePath,
    useSecure: secure,
    autoconnect: false,
    timeout: timeoutMs,
    ...(credentials === undefined ? {} : { username: credentials.user, password: credentials.password }),
  });
  const internals = cam as unknown as CamInternals;

  // Its own takes the password as ASCII (æ, ø and å go wrong) and dates from 1970 where the camera's clock is unknown.
  internals._passwordDigest = () => {
    const nonce = randomBytes(16);
    const timestamp = new Date(clock.nowUs() / 1000 + clockOffsetMs).toISOString();
    const hash = createHash('sha1')
      .update(nonce)
      .update(timestamp)
      .update(credentials?.password ?? '', 'utf8');
    return { passdigest: hash.digest('base64'), nonce: nonce.toString('base64'), timestamp };
  };

  internals._requestPart2 = (request, callback) => {
    exchange(request)
      .then(
        (answer) => {
          outcome = answer;
          callback(new Error('The answer is read elsewhere.'), null, undefined, 200);
        },
        (thrown: unknown) => {
          const error = toGatewayError(thrown);
          outcome = error;
          // 401 makes Cam ask again with credentials, where it had asked without (GetSystemDateAndTime).
          const again = error.code === 'unauthenticated' && credentials !== undefined && !isRefused();
          callback(error, null, undefined, again ? 401 : 0);
        },
      )
      // Only where the package itself throws; without this it would end the process.
      .catch((thrown: unknown) => {
        giveUp(toGatewayError(thrown, `the onvif package failed in ${operation}`));
      });
  };

  async function exchange(request: CamRequest): Promise<Answer> {
    const target = serviceTarget(request.service);
    const withToken = request.body.includes('<UsernameToken>');
    const send = (authorization?: string): Promise<SoapReply> => {
      const leftMs = Math.floor(deadlineMs - clock.monotonicMs());
      if (leftMs <= 0) throw tooSlow(device.host, totalTimeoutMs);
      return postSoap({
        device,
        ...target,
        body: request.body,
        headers: {
          'Content-Type': `application/soap+xml; charset=utf-8; action="${request.action}"`,
          // node:http takes a header as Latin-1; the bytes on the wire are to be UTF-8.
          ...(authorization === undefined ? {} : { Authorization: Buffer.from(authorization).toString('latin1') }),
        },
        timeoutMs: Math.min(timeoutMs, leftMs),
        maxBytes: soapLimits.maxBytes,
        tlsFingerprint,
        clock,
      });
    };
    let reply = await send();
    let withDigest = false;
    if (reply.status === 401 && credentials !== undefined) {
      const challenges = usableChallenges(reply.challenges);
      if (challenges.length > 0) {
        withDigest = true;
        reply = await send(answerChallenge(challenges, target.path));
      } else if (reply.challenges.some((challenge) => /^basic\b/i.test(challenge))) {
        throw new GatewayError('unauthenticated', `${device.host} wants the password in clear text (HTTP Basic).`, {
          remedy: 'Switch the camera to digest authentication for ONVIF. The gateway sends no password in clear text.',
        });
      }
    }
    const known = withToken || withDigest;
    try {
      const response = readReply(reply, operation, device.host);
      admitted ||= known;
      return { response, sentMs: reply.sentMs, receivedMs: reply.receivedMs };
    } catch (error) {
      if (!known || !(error instanceof GatewayError) || error.code !== 'unauthenticated') throw error;
      refusals += 1;
      throw admitted ? lacksRights(device.host, operation) : credentialsRefused(device.host);
    }
  }

  function answerChallenge(challenges: string[], path: string): string {
    try {
      return cam.digestAuth(challenges, { method: 'POST', path });
    } catch (error) {
      throw new GatewayError('input-invalid', `${device.host} asks for authentication in a form nobody understands.`, {
        remedy: 'Update the firmware of the camera, or set its ONVIF authentication to digest (MD5 or SHA-256).',
        cause: error,
      });
    }
  }

  /** Always the host we were told to ask: an announced service elsewhere must not get our credentials. */
  function serviceTarget(service: string | undefined): { port: number; path: string } {
    const announced = service === undefined ? undefined : services.get(service);
    if (announced === undefined || !URL.canParse(announced)) return { port: devicePort, path: devicePath };
    const url = new URL(announced);
    const sameHost = url.hostname === device.hostname && url.protocol === device.protocol && url.port !== '';
    return { port: sameHost ? Number(url.port) : devicePort, path: url.pathname + url.search };
  }

  return {
    device,
    refused: isRefused,
    setClockOffset: (offsetMs) => {
      clockOffsetMs = offsetMs;
    },
    setServices: (found) => {
      services = found;
      internals.media2Support = found.has('media2');
    },
    ask: async (name, put) => {
      operation = name;
      outcome = null;
      await new Promise<void>((resolve, reject) => {
        giveUp = reject;
        try {
          put(cam, () => {
            resolve();
          });
        } catch (error) {
          reject(toGatewayError(error, `asking ${device.host} for ${name}`));
        }
      });
      // Set by the transport above, which the compiler cannot see.
      const result = outcome as Answer | GatewayError | null;
      if (result === null) throw new GatewayError('internal', `The onvif package did not send ${name}.`);
      if (result instanceof GatewayError) throw result;
      return result;
    },
  };
}

function tooSlow(host: string, totalTimeoutMs: number): GatewayError {
  return new GatewayError('io-failed', `${host} used up all of its ${totalTimeoutMs} ms.`, {
    remedy: 'The camera answers very slowly: check its load and its network.',
  });
}

/** Digest challenges `Cam.digestAuth` can answer, in the one form of qop it knows. */
function usableChallenges(challenges: readonly string[]): string[] {
  return challenges
    .filter((challenge) => challenge.length < 2048 && /^digest /i.test(challenge))
    .filter((challenge) => /^(?:MD5|SHA-256)?$/i.test(/algorithm="?([^",\s]*)/i.exec(challenge)?.[1] ?? ''))
    .map((challenge) => Buffer.from(challenge, 'latin1').toString('utf8'))
    .map((challenge) => challenge.replace(/^digest /i, 'Digest ').replace(/qop="?[^",]*(?:,[^"=]*)?"/i, qopAuth));
}

function qopAuth(qop: string): string {
  return /\bauth\b(?!-int)/.test(qop) ? 'qop="auth"' : qop;
}
