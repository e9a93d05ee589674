import { z } from 'zod';
import { noticeKinds } from '../../disclosure/hold-notice.js';
import {
  enabledGrounds,
  holdGrounds,
  holdIsActive,
  isProvisional,
  manyCameras,
  wideRangeUs,
} from '../../domain/hold.js';
import { isDay } from '../../domain/hold-facts.js';
import { noticeIsOverdue } from '../../domain/hold-end.js';
import { listEnabledGrounds, listHolds, listHoldSteps } from '../../store/holds.js';
import { listUsers } from '../../store/users.js';
import { instant } from '../instants.js';
import { route, type Route } from '../route.js';
import type { HoldsView } from '../views.js';
import { requestParams } from './requests.js';

const line = z.string().trim().min(1).max(200);
const day = z.string().refine(isDay, 'must be a day like 2026-05-31').meta({ format: 'date' });
const reason = z.string().trim().min(3).max(2000);
const review = instant.meta({ description: 'When it ends unless it is prolonged: at most 90 days from now' });

/** What each ground demands; that a day lies in the past is known where the zone of the site is. */
const facts = z.discriminatedUnion('ground', [
  z.strictObject({ ground: z.literal('reported-offence'), journalNumber: line, reportedOn: day }),
  z.strictObject({
    ground: z.literal('dispute'),
    counterparty: line,
    description: z.string().trim().min(10).max(2000),
  }),
  z.strictObject({ ground: z.literal('access-request'), caseNumber: line, receivedOn: day }),
  z.strictObject({ ground: z.literal('complaint'), caseNumber: line, receivedOn: day }),
  z.strictObject({ ground: z.literal('legal-duty'), provision: line }),
]);

export const holdRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/holds',
    right: 'hold.read',
    summary: 'Every hold with what became of it, those that ended too',
    handler: ({ deps: { store } }): HoldsView => {
      const nowUs = store.clock.nowUs();
      const steps = listHoldSteps(store.db);
      return {
        nowUs,
        holds: listHolds(store.db).map((hold) => ({
          ...hold,
          active: holdIsActive(hold, nowUs),
          provisional: isProvisional(hold) && holdIsActive(hold, nowUs),
          noticeOverdue: noticeIsOverdue(hold, nowUs),
          steps: steps.filter(({ holdId }) => holdId === hold.id),
        })),
        grounds: holdGrounds,
        enabled: listEnabledGrounds(store.db),
        wide: { minutes: wideRangeUs / 60_000_000, cameras: manyCameras },
        people: Object.fromEntries(listUsers(store.db).map(({ id, name }) => [`user:${id}`, name])),
      };
    },
  }),
  route({
    method: 'post',
    path: '/api/holds',
    right: 'hold.place',
    status: 201,
    summary: 'Keep footage longer, on one of the grounds of the law; by security until legal has decided',
    body: z.strictObject({
      facts,
      reason,
      wideReason: z.string().trim().min(10).max(2000).nullable().default(null),
      cameraIds: z.array(z.string().min(1).max(200)).min(1).max(50),
      from: instant,
      to: instant,
      review,
    }),
    handler: ({ deps, user, body: { from, to, review: reviewUs, ...rest } }) =>
      deps.disclosure.placeHold(user, { ...rest, startUs: from, endUs: to, reviewUs }),
  }),
  route({
    method: 'post',
    path: '/api/holds/:id/approve',
    right: 'hold.approve',
    summary: 'Approve what security holds; another person than who placed it',
    params: requestParams,
    body: z.strictObject({ review: review.nullable().default(null) }),
    handler: ({ deps, user, params: { id }, body }) => ({
      hold: deps.disclosure.approveHold(user, id, { reviewUs: body.review }),
    }),
  }),
  route({
    method: 'post',
    path: '/api/holds/:id/refuse',
    right: 'hold.approve',
    summary: 'Refuse it: its footage goes at the next sweep, as far as it is due',
    params: requestParams,
    body: z.strictObject({ reason }),
    handler: ({ deps, user, params: { id }, body }) => ({ hold: deps.disclosure.refuseHold(user, id, body) }),
  }),
  route({
    method: 'post',
    path: '/api/holds/:id/prolong',
    right: 'hold.prolong',
    summary: 'A later review date, at most 90 days from now',
    params: requestParams,
    body: z.strictObject({ review, reason }),
    handler: ({ deps, user, params: { id }, body }) => ({
      hold: deps.disclosure.prolongHold(user, id, { reviewUs: body.review, reason: body.reason }),
    }),
  }),
  route({
    method: 'post',
    path: '/api/holds/:id/lift',
    right: 'hold.lift',
    summary: 'End a hold; a freeze by saying when it was answered, and when the time to appeal was over',
    params: requestParams,
    body: z.strictObject({
      reason,
      answeredOn: day.nullable().default(null),
      appealEndedOn: day.nullable().default(null),
    }),
    handler: ({ deps, user, params: { id }, body }) => ({ hold: deps.disclosure.liftHold(user, id, body) }),
  }),
  route({
    method: 'post',
    path: '/api/holds/:id/notices',
    right: 'hold.notify',
    summary: 'Enter that the other party of a dispute was told, asks for a copy, or was given it',
    params: requestParams,
    body: z.strictObject({ kind: z.enum(noticeKinds), at: instant, how: line, document: line }),
    handler: ({ deps, user, params: { id }, body: { at, ...rest } }) => ({
      hold: deps.disclosure.noteNotice(user, id, { ...rest, atUs: at }),
    }),
  }),
  route({
    method: 'put',
    path: '/api/holds/grounds/:ground',
    right: 'hold.ground',
    summary: 'Enable a ground of § 4 c(5) for municipal cameras, or disable it',
    params: z.strictObject({ ground: z.enum(enabledGrounds) }),
    body: z.strictObject({ enabled: z.boolean(), reason: z.string().trim().min(10).max(2000) }),
    handler: ({ deps, user, params: { ground }, body }) => ({
      enabled: deps.disclosure.setGround(user, { ground, ...body }),
    }),
  }),
];
