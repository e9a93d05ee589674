/** What recorders call on this machine when a segment is closed. Mounted on a port of its own: see hook-server.ts. */
import { z } from 'zod';
import type { AnnouncedCamera, AnnouncedFile } from '../../recordings/announced.js';
import { answered, openRoute, type Route } from '../route.js';

/** How long a caller waits for what becomes of its file; a recorder is not held up by us. */
const patienceMs = 2000;

const file = z.looseObject({
  path: z
    .string()
    .min(1)
    .max(4096)
    .describe('Absolute as the gateway or the recorder sees it, or below a root: MTX_SEGMENT_PATH of MediaMTX'),
  duration: z
    .union([z.number(), z.string().max(40)])
    .optional()
    .describe('MTX_SEGMENT_DURATION; what the file itself says counts'),
});

const seconds = z.number().min(0).max(4_102_444_800);
/** `frigate/events` and `frigate/reviews` of MQTT, as they are. */
const frigateEvent = z.looseObject({
  type: z.enum(['new', 'update', 'end']),
  after: z.looseObject({
    camera: z.string().min(1).max(200),
    start_time: seconds,
    end_time: seconds.nullish(),
  }),
});

export const hookRoutes: readonly Route[] = [
  openRoute({
    method: 'post',
    path: '/api/hook/segments',
    summary:
      'A recorder says that a segment is closed: it is indexed at once. 202 where that takes longer. On the hook port of the loopback interface only, with the token of "tredive hook"',
    body: z.union([file, frigateEvent]),
    handler: async ({ deps, body, res }) => {
      const work: Promise<AnnouncedFile | AnnouncedCamera> =
        'path' in body
          ? deps.hook.announceFile(body.path as string)
          : deps.hook.announceCamera({
              camera: body.after.camera,
              startUs: Math.round(body.after.start_time * 1e6),
              endUs: typeof body.after.end_time === 'number' ? Math.round(body.after.end_time * 1e6) : null,
            });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<null>((resolve) => {
        timer = setTimeout(resolve, patienceMs, null);
      });
      const result = await Promise.race([work, late]).finally(() => {
        clearTimeout(timer);
      });
      if (result === null) {
        work.catch((error: unknown) => {
          deps.log.warn({ err: error }, 'an announced segment could not be indexed; the watch or a scan finds it');
        });
      }
      const isDone = result !== null && !('outcome' in result && unfinished.has(result.outcome));
      res
        .status(isDone ? 200 : 202)
        .set('Cache-Control', 'no-store')
        .json(result ?? { outcome: 'waiting' });
      return answered;
    },
  }),
];

const unfinished: ReadonlySet<string> = new Set(['waiting', 'unasked', 'unreachable']);
