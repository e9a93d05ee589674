/** Binds the stages to what the API asks for. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ApiDeps, ApiJobs } from '../api/deps.js';
import type { Gateway } from '../app.js';
import { closeRequest } from '../disclosure/close.js';
import { coverageOf } from '../disclosure/coverage.js';
import { decideRequest } from '../disclosure/decide.js';
import { placeHold } from '../disclosure/hold.js';
import { approveHold, lift, prolongHold, refuseHold } from '../disclosure/hold-acts.js';
import { setGround } from '../disclosure/hold-grounds.js';
import { noteNotice } from '../disclosure/hold-notice.js';
import { createRequest } from '../disclosure/request.js';
import { reviewRequest } from '../disclosure/review.js';
import { searchFootage } from '../disclosure/search.js';
import { hourUs } from '../domain/retention-rules/index.js';
import { usPerSecond } from '../domain/time.js';
import { readOrMakeSecret } from '../platform/secret.js';
import { announceCamera, announceFile } from '../recordings/announced.js';
import { contactSheetOf } from '../recordings/pictures/contact-sheet.js';
import { cutsIn } from '../recordings/pictures/cuts.js';
import { stillAt } from '../recordings/pictures/still.js';
import type { Watcher } from '../recordings/watch.js';
import { confirmDeletion } from '../retention/confirm.js';
import { planDeletions } from '../retention/plan.js';
import { cancelRetention, confirmRetention, previewDays, previewOf, proposeRetention } from '../retention/policy.js';
import { acceptClock, clockDoubt, clockVotes, refusalReason } from '../retention/trust.js';

/** dist/web beside dist/cli. */
const webDir = fileURLToPath(new URL('../web/', import.meta.url));

/** `onHeld` is called whenever what is held may have changed. */
export async function apiDeps(
  gateway: Gateway,
  { jobs, reports }: { readonly jobs: ApiJobs; readonly reports: ApiDeps['reports'] },
  watcher: Watcher,
  onHeld: () => void = () => undefined,
): Promise<ApiDeps> {
  const { config, store, log, disclosure, pictures, recordings, retention } = gateway;
  const held = <T>(done: T): T => {
    onHeld();
    return done;
  };
  return {
    store,
    log,
    site: config.site,
    api: config.api,
    dataDir: config.data,
    webDir: existsSync(join(webDir, 'index.html')) ? webDir : null,
    sessionSecret: await readOrMakeSecret(config.data, 'session-secret'),
    disclosure: {
      createRequest: (user, scope) => {
        const created = createRequest(disclosure, user, scope);
        onHeld();
        // Preparing starts when the request is made, so that a reviewer rarely waits.
        jobs.prepare(created.request.id, `user:${user.id}`);
        return created;
      },
      coverageOf: (cameraIds, range) => coverageOf(disclosure, cameraIds, range),
      reviewRequest: (user, id, review) => reviewRequest(disclosure, user, id, review),
      decideRequest: (user, id, decision) => decideRequest(disclosure, user, id, decision),
      closeRequest: (actor, id, why) => closeRequest(disclosure, actor, id, why),
      placeHold: (user, input) => held(placeHold(disclosure, user, input)),
      approveHold: (user, id, approval) => held(approveHold(disclosure, user, id, approval)),
      refuseHold: (user, id, refusal) => held(refuseHold(disclosure, user, id, refusal)),
      prolongHold: (user, id, date) => held(prolongHold(disclosure, user, id, date)),
      liftHold: (user, id, lifting) => held(lift(disclosure, user, id, lifting)),
      noteNotice: (user, id, notice) => noteNotice(disclosure, user, id, notice),
      setGround: (user, input) => setGround(disclosure, user, input),
    },
    footage: {
      search: (user, cameraIds, range) => searchFootage(disclosure, `user:${user.id}`, cameraIds, range),
      stillAt: (look, ask) => stillAt(pictures, look, ask),
      contactSheet: (look, ask) => contactSheetOf(pictures, look, ask),
      cuts: (cameraId, range) => cutsIn(pictures, cameraId, range),
    },
    retention: {
      marginUs: retention.marginUs,
      plan: (nowUs) => planDeletions(retention, nowUs),
      voteUs: Math.round(config.retention.confirmHours * hourUs),
      sweepEveryUs: Math.round(config.retention.sweepMinutes * 60 * usPerSecond),
      refusal: (nowUs) => refusalReason(retention, nowUs),
      doubt: (nowUs) => clockDoubt(retention, nowUs),
      clockVotes: (nowUs) => clockVotes(retention, nowUs),
      confirm: (user, id) => confirmDeletion(retention, user, id),
      acceptClock: (user) => acceptClock(retention, user),
      preview: (cameraId, retentionDays) => previewDays(retention, cameraId, retentionDays),
      previewOf: (change) => previewOf(retention, change),
      propose: (user, input) => proposeRetention(retention, user, input),
      confirmChange: (user, id) => confirmRetention(retention, user, id),
      cancelChange: (user, id) => cancelRetention(retention, user, id),
    },
    reports,
    audit: { verify: () => gateway.verifyAudit() },
    jobs,
    hook: {
      announceFile: (path) => announceFile(recordings, watcher, path),
      announceCamera: (event) => announceCamera(recordings, watcher, event),
    },
  };
}
