/** What shows people: tracks, masked copies, the package. */
import { z } from 'zod';
import { GatewayError, toGatewayError } from '../../errors.js';
import { parseAnalysis } from '../../redaction/analysis.js';
import { joinBeneath, readTextIfThere } from '../../platform/durable-file.js';
import { derivedOfRequest } from '../../store/derived-files.js';
import type { Database } from '../../store/database.js';
import { getRequest, itemsOf, type RequestItem } from '../../store/requests.js';
import { sendFile } from '../file-answer.js';
import { route, type Route } from '../route.js';
import { purposeCode } from '../views.js';
import { requestParams } from './requests.js';

const itemParams = requestParams.extend({
  position: z
    .string()
    .regex(/^\d{1,4}$/)
    .transform(Number),
});

function getItem(db: Database, id: string, position: number): RequestItem {
  getRequest(db, id);
  const item = itemsOf(db, id).find((one) => one.position === position);
  if (item === undefined) {
    throw new GatewayError('not-found', `Request ${id} has no prepared item ${position}.`, {
      remedy: 'Prepare the request; its details list the items.',
    });
  }
  if (item.planPath === '') {
    throw new GatewayError('footage-gone', `What was prepared of item ${position} is not there any more.`, {
      remedy: 'The request ended, or its footage was deleted on time; the log says which.',
    });
  }
  return item;
}

/** Why somebody looks: a known purpose by its code, or words of their own. */
export const purpose = z.string().trim().min(3).max(500);

export const footageRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/requests/:id/items/:position/tracks',
    right: 'footage.read',
    summary: 'Who was found where in an item, frame by frame, and what was decided',
    params: itemParams,
    handler: async ({ deps, params }) => {
      const item = getItem(deps.store.db, params.id, params.position);
      const text = await readTextIfThere(joinBeneath(deps.dataDir, item.planPath));
      if (text === null) {
        throw new GatewayError('footage-gone', 'The tracks of this item are not there any more.', {
          remedy: 'Prepare the request again.',
        });
      }
      try {
        return { analysis: parseAnalysis(text), decisions: item.decisions };
      } catch (error) {
        if (error instanceof GatewayError) throw error;
        throw new GatewayError('io-failed', toGatewayError(error, `reading ${item.planPath}`).message, {
          cause: error,
        });
      }
    },
  }),
  route({
    method: 'get',
    path: '/api/requests/:id/items/:position/masked',
    right: 'footage.read',
    summary: 'The masked copy as a film. Each look is logged before its first byte is sent',
    answers: 'video/mp4',
    params: itemParams,
    query: z.strictObject({ purpose }),
    handler: ({ deps, user, params, query, req, res }) => {
      const item = getItem(deps.store.db, params.id, params.position);
      return sendFile(
        { deps, user, req, res },
        { path: item.redactedPath, contentType: 'video/mp4' },
        {
          type: 'footage.viewed',
          subject: `request:${params.id}`,
          data: {
            position: item.position,
            camera: item.cameraId,
            startUs: item.startUs,
            endUs: item.endUs,
            sha256: item.redactedSha256,
            purpose: purposeCode(query.purpose),
          },
        },
      );
    },
  }),
  route({
    method: 'get',
    path: '/api/requests/:id/archive',
    right: 'request.package',
    summary: 'The package as a ZIP. Taking it is logged as handing it over',
    answers: 'application/zip',
    params: requestParams,
    handler: ({ deps, user, params: { id }, req, res }) => {
      const { state } = getRequest(deps.store.db, id);
      const archive = derivedOfRequest(deps.store.db, id).findLast((file) => file.kind === 'archive');
      if (state !== 'packaged' || archive === undefined) {
        throw new GatewayError('conflict', `Request ${id} is "${state}": there is no package to hand over.`, {
          remedy: 'A package is there from when it was made until it expires or the request is closed.',
        });
      }
      return sendFile(
        { deps, user, req, res },
        { path: archive.path, contentType: 'application/zip', downloadName: `disclosure-${id}.zip` },
        { type: 'request.handed-over', subject: `request:${id}`, data: {} },
      );
    },
  }),
];
