/** Pictures of recordings as they are: for those who may look at footage, each look with its purpose in the log. */
import { z } from 'zod';
import { purposeCode } from '../views.js';
import { instant } from '../instants.js';
import { answered, route, type Route } from '../route.js';
import { purpose } from './footage.js';

const params = z.strictObject({ camera: z.string().min(1).max(200) });
const number = (min: number, max: number, otherwise: number) =>
  z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(otherwise);

/** The end after the start, and no longer than `hours`: a longer one is a search for a person, not for a moment. */
const range = (hours: number) => ({
  shape: { from: instant, to: instant },
  check: ({ from, to }: { from: number; to: number }): boolean => from < to && to - from <= hours * 3_600_000_000,
  message: `the end must be after the start, and at most ${hours} hours later`,
});
const sheetRange = range(24);
const cutRange = range(1);

export const stillRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/footage/:camera/still',
    right: 'footage.read',
    summary: 'What a camera showed at a moment, unmasked. Each look is logged before the picture is made',
    answers: 'image/jpeg',
    params,
    query: z.strictObject({ at: instant, width: number(160, 3840, 1920), purpose }),
    handler: async ({ deps, user, params: { camera }, query, res }) => {
      const picture = await deps.footage.stillAt(
        { actor: `user:${user.id}`, purpose: purposeCode(query.purpose) },
        { cameraId: camera, atUs: query.at, maxWidth: query.width },
      );
      // Not for any cache: nobody could take it back from there when the footage goes.
      res.set('Cache-Control', 'no-store').type('image/jpeg').send(picture.jpeg);
      return answered;
    },
  }),
  route({
    method: 'get',
    path: '/api/footage/:camera/contact-sheet',
    right: 'footage.read',
    summary:
      'Small pictures of a camera over a range with their local times, unmasked. Logged before they are made. The header Picture-Times has the moments in microseconds UTC, empty where nothing is there',
    answers: 'image/jpeg',
    params,
    query: z
      .strictObject({ ...sheetRange.shape, count: number(1, 60, 12), purpose })
      .refine(sheetRange.check, sheetRange.message),
    handler: async ({ deps, user, params: { camera }, query, res }) => {
      const sheet = await deps.footage.contactSheet(
        { actor: `user:${user.id}`, purpose: purposeCode(query.purpose) },
        { cameraId: camera, range: { startUs: query.from, endUs: query.to }, count: query.count },
      );
      res.set('Cache-Control', 'no-store').set('Picture-Times', sheet.timesUs.map((us) => us ?? '').join(','));
      res.type('image/jpeg').send(sheet.jpeg);
      return answered;
    },
  }),
  route({
    method: 'get',
    path: '/api/footage/:camera/cuts',
    right: 'footage.read',
    summary: 'Where the recordings of a camera can be cut without decoding them to show a range. Shows no picture',
    params,
    query: z.strictObject(cutRange.shape).refine(cutRange.check, cutRange.message),
    handler: async ({ deps, params: { camera }, query }) => ({
      cameraId: camera,
      recordings: await deps.footage.cuts(camera, { startUs: query.from, endUs: query.to }),
    }),
  }),
];
