/**
 * Everything that can go wrong, as one closed union. A code says what kind of trouble it is, once and for all three
 * audiences: the HTTP status, the exit code of the command line, and the reader of a log.
 */
const codes = {
  /** Wrong words on the command line. */
  usage: { http: 400, exit: 2 },
  /** The configuration file is wrong; the message has file, line and what to do. */
  'config-invalid': { http: 500, exit: 2 },
  /** A request body, a query or a file handed to us does not have the form it must have. */
  'input-invalid': { http: 400, exit: 2 },
  /** A media file that cannot be read as what it claims to be. */
  'media-unreadable': { http: 422, exit: 1 },
  unauthenticated: { http: 401, exit: 1 },
  /** Too many failed logins from one place. */
  'too-many-attempts': { http: 429, exit: 1 },
  forbidden: { http: 403, exit: 1 },
  'not-found': { http: 404, exit: 1 },
  /** The thing exists but is not in a state in which this can be done. */
  conflict: { http: 409, exit: 1 },
  /** The one who asked for a disclosure may not decide on it. */
  'same-person': { http: 403, exit: 1 },
  /** What was approved is no longer what would be handed over. */
  'approval-void': { http: 409, exit: 1 },
  /** Retention above what the camera's class allows, or no limit at all. */
  'retention-illegal': { http: 422, exit: 2 },
  /** Footage asked for is already gone. */
  'footage-gone': { http: 410, exit: 1 },
  /** A root is missing, empty or another one than before: nothing in it is judged. */
  'root-untrusted': { http: 503, exit: 1 },
  /** A file is not the one that was indexed: inode or size differ, or it is a link. */
  'segment-changed': { http: 409, exit: 1 },
  /** The system clock cannot be believed. */
  'clock-untrusted': { http: 503, exit: 1 },
  /** The audit event could not be written, so the act did not happen. */
  'audit-unwritable': { http: 503, exit: 1 },
  /** A verification ran to its end and found something wrong. */
  'verification-failed': { http: 422, exit: 3 },
  /** ffmpeg is missing, was killed, or gave up. */
  'ffmpeg-failed': { http: 500, exit: 1 },
  /** The detector is missing or failed: no masked copy without it. */
  'detector-failed': { http: 500, exit: 1 },
  'disk-full': { http: 507, exit: 1 },
  'io-failed': { http: 500, exit: 1 },
  'database-failed': { http: 500, exit: 1 },
  /** SIGINT or SIGTERM while something was under way. Nothing half-done is left. */
  interrupted: { http: 503, exit: 1 },
  /** A mistake of ours. */
  internal: { http: 500, exit: 1 },
} as const satisfies Record<string, { http: number; exit: 1 | 2 | 3 }>;

export type ErrorCode = keyof typeof codes;

/** The one error type. `message` says what happened; `remedy` says what the reader can do about it. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: { remedy?: string; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.remedy = more.remedy;
    this.details = more.details;
  }

  get httpStatus(): number {
    return codes[this.code].http;
  }

  get exitCode(): 1 | 2 | 3 {
    return codes[this.code].exit;
  }
}

/** Any thrown value as a GatewayError: ours as it is, a system error by its errno, the rest as `internal`. */
export function toGatewayError(thrown: unknown, doing?: string): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const message = doing === undefined ? error.message : `${doing}: ${error.message}`;
  const errno = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new GatewayError('disk-full', message, { remedy: 'Free space on this file system.', cause: thrown });
  }
  if (errno.startsWith('SQLITE_FULL')) {
    return new GatewayError('disk-full', message, { remedy: 'Free space where the database lies.', cause: thrown });
  }
  if (errno.startsWith('SQLITE_')) return new GatewayError('database-failed', message, { cause: thrown });
  if (/^E[A-Z0-9]+$/.test(errno) && !errno.startsWith('ERR_')) {
    return new GatewayError('io-failed', message, { cause: thrown });
  }
  return new GatewayError('internal', message, { cause: thrown });
}
