/** Every failure as `{ error: { code, message, remedy, details? } }`. What is ours to repair shows an id, not its insides. */
import { randomUUID } from 'node:crypto';
import type { ErrorRequestHandler } from 'express';
import type { z } from 'zod';
import { GatewayError, toGatewayError, type ErrorCode } from '../errors.js';
import type { Log } from '../platform/log.js';
import type { ErrorView } from './views.js';

/** Their messages hold paths and statements: they are for the log. */
const insides = new Set<ErrorCode>(['internal', 'io-failed', 'database-failed']);

/** What zod found, with a line for each fault. Values are not repeated: a password may be among them. */
export function inputInvalid(where: string, error: z.ZodError): GatewayError {
  const faults = error.issues.map((issue) => {
    const at = issue.path.map(String).join('.');
    const what =
      issue.code === 'unrecognized_keys' ? `unknown key ${issue.keys.map((k) => `"${k}"`).join(', ')}` : issue.message;
    return at === '' ? what : `${at}: ${what}`;
  });
  return new GatewayError('input-invalid', `The ${where} is not as it must be: ${faults.join('; ')}.`, {
    remedy: 'See /api/openapi.json for what is expected.',
    details: { faults },
  });
}

/** Errors of express and body-parser carry a 4xx status of their own: they are about the request, not about us. */
function fromHttp(thrown: unknown): GatewayError | null {
  if (!(thrown instanceof Error) || !('status' in thrown)) return null;
  const { status } = thrown;
  if (typeof status !== 'number' || status < 400 || status > 499) return null;
  const type = 'type' in thrown ? thrown.type : undefined;
  if (type === 'entity.too.large') {
    return new GatewayError('input-invalid', 'The request body is larger than 256 KiB.', {
      remedy: 'Send less at once.',
    });
  }
  if (type === 'entity.parse.failed') {
    return new GatewayError('input-invalid', 'The request body is not JSON.', { remedy: 'Correct the JSON.' });
  }
  return new GatewayError('input-invalid', 'The request cannot be read.', {
    remedy: 'Correct the request.',
    cause: thrown,
  });
}

export function errorAnswer(log: Log): ErrorRequestHandler {
  return (thrown: unknown, req, res, next) => {
    const error = fromHttp(thrown) ?? toGatewayError(thrown);
    const hidden = insides.has(error.code) || (!(thrown instanceof GatewayError) && error.httpStatus >= 500);
    const id = error.httpStatus >= 500 ? randomUUID() : undefined;
    if (id !== undefined) log.error({ id, code: error.code, err: thrown, method: req.method }, 'a request failed');
    if (res.headersSent) {
      // Half an answer cannot be taken back; closing the connection tells the client that it is not whole.
      next(thrown);
      return;
    }
    const view: ErrorView = {
      error: {
        code: error.code,
        message: hidden ? 'Something failed inside the gateway.' : error.message,
        ...(hidden
          ? { remedy: `Look for ${id ?? ''} in the gateway's log.` }
          : error.remedy === undefined
            ? {}
            : { remedy: error.remedy }),
        ...(hidden || error.details === undefined ? {} : { details: error.details }),
        ...(id === undefined ? {} : { id }),
      },
    };
    res.status(error.httpStatus).set('Cache-Control', 'no-store').json(view);
  };
}
