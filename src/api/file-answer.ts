/** Files that show people: each look at one is an audit event before its first byte leaves. */
import { stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import type { Request, Response } from 'express';
import type { AuditEventType } from '../domain/audit-event.js';
import type { Json } from '../domain/canonical-json.js';
import type { User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { joinBeneath } from '../platform/durable-file.js';
import { answered } from './route.js';
import type { ApiDeps } from './deps.js';

interface Look {
  readonly type: AuditEventType;
  readonly subject: string;
  readonly data: { readonly [key: string]: Json };
}

interface File {
  /** Relative to the data folder. */
  readonly path: string;
  readonly contentType: string;
  /** Offered as a download under this name; shown in the page where left out. */
  readonly downloadName?: string;
}

/**
 * A player asks for one film in many ranges, a broken download for its rest. They belong to the look that was noted when
 * it began, as long as they come from the same session, for the same thing and purpose, within this time of one another.
 */
const sameLookUs = 10 * 60_000_000;
const looks = new WeakMap<ApiDeps, Map<string, number>>();

/** Notes the look before anything is sent, unless it goes on with one that was noted. */
function noteLook(deps: ApiDeps, req: Request, user: User, look: Look): void {
  const nowUs = deps.store.clock.nowUs();
  const known = looks.get(deps) ?? new Map<string, number>();
  looks.set(deps, known);
  for (const [key, atUs] of known) if (nowUs - atUs > sameLookUs) known.delete(key);
  const key = createHash('sha256')
    .update(JSON.stringify([req.sessionID, look, req.query['purpose'] ?? null]))
    .digest('hex');
  // Without a range, or from the first byte on, it is a look from the start, whatever was looked at before.
  const goesOn = /^bytes=(?!0-)/.test(req.get('range') ?? '') && known.has(key);
  if (!goesOn) {
    deps.store.act(`user:${user.id}`, (note) => {
      note(look.type, look.subject, look.data);
    });
  }
  // Only now: a look that could not be noted must not open the way for its next range.
  known.set(key, nowUs);
}

/**
 * Sends a file with range support. Throws `footage-gone` where it is not there any more, and `audit-unwritable` before
 * anything is sent where the look cannot be noted.
 */
export async function sendFile(
  { deps, req, res, user }: { deps: ApiDeps; req: Request; res: Response; user: User },
  file: File,
  look: Look,
): Promise<typeof answered> {
  const found = await stat(joinBeneath(deps.dataDir, file.path)).catch((error: unknown) => {
    throw new GatewayError('footage-gone', 'This file is not there any more.', {
      remedy: 'Prepare or package the request again.',
      cause: error,
    });
  });
  if (!found.isFile())
    throw new GatewayError('footage-gone', 'This is not a file any more.', { remedy: 'Prepare again.' });
  noteLook(deps, req, user, look);
  res.type(file.contentType);
  if (file.downloadName !== undefined) res.attachment(file.downloadName);
  await new Promise<void>((resolve, reject) => {
    res.sendFile(
      file.path,
      {
        root: deps.dataDir,
        cacheControl: false,
        etag: false,
        lastModified: false,
        headers: { 'Cache-Control': 'no-store' },
      },
      (error?: Error & { code?: string; status?: number }) => {
        // A reader who closes the window or seeks is no failure of ours.
        if (error === undefined || error.code === 'ECONNABORTED' || error.code === 'EPIPE' || res.destroyed) resolve();
        else if (error.status === 416) {
          res.status(416).set('Content-Range', `bytes */${found.size}`).end();
          resolve();
        } else reject(error);
      },
    );
  });
  return answered;
}
