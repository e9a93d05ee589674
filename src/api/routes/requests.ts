import { z } from 'zod';
import { stat } from 'node:fs/promises';
import { recipientKinds } from '../../domain/camera.js';
import { disclosureGrounds, type DisclosureGround } from '../../domain/disclosure.js';
import { modeOf } from '../../domain/mask-decisions.js';
import { joinBeneath } from '../../platform/durable-file.js';
import { eventsOf } from '../../store/audit-log.js';
import type { Database } from '../../store/database.js';
import { derivedOfRequest } from '../../store/derived-files.js';
import { holdOfRequest } from '../../store/holds.js';
import { getRequest, itemsOf, listRequests, type RequestItem } from '../../store/requests.js';
import { listUsers } from '../../store/users.js';
import type { ApiDeps } from '../deps.js';
import { instant } from '../instants.js';
import { route, type Route } from '../route.js';
import type { CreatedView, ItemView, RequestDetailView, RequestsView } from '../views.js';

export const requestParams = z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) });

const line = (max: number): z.ZodString => z.string().trim().min(1).max(max);

const newRequest = z.strictObject({
  ground: z.enum(Object.keys(disclosureGrounds) as [DisclosureGround, ...DisclosureGround[]]),
  legalBasis: z.string().trim().max(2000).nullable().default(null),
  recipient: z.strictObject({ kind: z.enum(recipientKinds), name: line(200), contact: line(500) }),
  journalNumber: line(200),
  purpose: line(2000),
  cameraIds: z.array(z.string().min(1).max(200)).min(1).max(50),
  from: instant,
  to: instant,
});

const itemView = (item: RequestItem): ItemView => ({
  position: item.position,
  cameraId: item.cameraId,
  startUs: item.startUs,
  endUs: item.endUs,
  sourceName: item.sourceName,
  sizeBytes: item.sizeBytes,
  container: item.container,
  codec: item.codec,
  hasAudio: item.hasAudio,
  sha256: item.sha256,
  redactedSha256: item.redactedSha256,
  summary: item.summary,
  mode: modeOf(item.decisions),
  keptVisible: item.decisions.keepVisible.length,
  drawn: item.decisions.drawn.length,
  overlaps: item.summary.overlaps ?? [],
});

/** Names of the users that these actors and ids stand for. */
function peopleIn(db: Database, ids: Iterable<string | null>): Record<string, string> {
  const wanted = new Set([...ids].map((id) => id?.replace(/^user:/, '')));
  return Object.fromEntries(
    listUsers(db)
      .filter((user) => wanted.has(user.id))
      .map((user) => [user.id, user.name]),
  );
}

async function archiveSize(deps: ApiDeps, requestId: string): Promise<{ sizeBytes: number } | null> {
  const archive = derivedOfRequest(deps.store.db, requestId).findLast((file) => file.kind === 'archive');
  if (archive === undefined) return null;
  const found = await stat(joinBeneath(deps.dataDir, archive.path)).catch(() => {
    // Registered but not, or no longer, written: to the page it is not there.
    return null;
  });
  return found === null ? null : { sizeBytes: found.size };
}

export const requestRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/requests',
    right: 'request.read',
    summary: 'Every disclosure request, newest first',
    handler: ({ deps }): RequestsView => {
      const rows = listRequests(deps.store.db);
      return {
        requests: rows.map((row) => ({ ...row, job: deps.jobs.of(row.id) })),
        people: peopleIn(
          deps.store.db,
          rows.flatMap((row) => [row.requestedBy, row.reviewedBy, row.decidedBy]),
        ),
      };
    },
  }),
  route({
    method: 'post',
    path: '/api/requests',
    right: 'request.create',
    status: 201,
    summary: 'Ask for a disclosure. Places a hold on exactly this footage at once',
    body: newRequest,
    handler: ({ deps, user, body }): CreatedView => {
      const { from, to, ...rest } = body;
      return deps.disclosure.createRequest(user, { ...rest, startUs: from, endUs: to });
    },
  }),
  route({
    method: 'get',
    path: '/api/requests/:id',
    right: 'request.read',
    summary: 'One request: what is there for it, what was prepared, and who did what when',
    params: requestParams,
    handler: async ({ deps, params: { id } }): Promise<RequestDetailView> => {
      const { db } = deps.store;
      const row = getRequest(db, id);
      const events = eventsOf(db, `request:${id}`);
      return {
        request: row,
        coverage: deps.disclosure.coverageOf(row.cameraIds, row),
        items: itemsOf(db, id).map(itemView),
        events: events.map(({ seq, atUs, type, actor, data }) => ({ seq, atUs, type, actor, data })),
        hold: holdOfRequest(db, id),
        job: deps.jobs.of(id),
        archive: await archiveSize(deps, id),
        people: peopleIn(db, [row.requestedBy, row.reviewedBy, row.decidedBy, ...events.map((event) => event.actor)]),
      };
    },
  }),
];
