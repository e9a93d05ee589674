/**
 * Refuses what another site makes a browser send, on top of SameSite cookies. Browsers always send Sec-Fetch-Site (to a
 * trustworthy address) or Origin with a request that changes something; a program that is no browser sends neither, and
 * carries no cookie that it was not given.
 */
import type { RequestHandler } from 'express';
import { GatewayError } from '../errors.js';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

function isSameOrigin(site: string | undefined, origin: string | undefined, host: string | undefined): boolean {
  // First, because a proxy may rewrite Host but not this.
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    // "null" and other things that are no address: a sandboxed frame or a file, never our page.
    return false;
  }
}

export const sameOriginOnly: RequestHandler = (req, _res, next) => {
  if (safeMethods.has(req.method) || isSameOrigin(req.get('sec-fetch-site'), req.get('origin'), req.get('host'))) {
    next();
    return;
  }
  next(
    new GatewayError('forbidden', 'This request was made by another site.', {
      remedy: 'Use the page of the gateway itself.',
    }),
  );
};
