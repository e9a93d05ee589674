/** Steps before the log is told: gathers the files, holds them against the approval, and signs what they are. */
import { constants } from 'node:fs';
import { copyFile, link, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Actor } from '../domain/audit-event.js';
import { assertTransition, contentHash, scopeHash, type ScopeItem } from '../domain/disclosure.js';
import { encodeManifest, parseManifest } from '../domain/manifest.js';
import type { User } from '../domain/user.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { buildManifest, packageNames, scopeItemOf, termsOf } from '../evidence/manifest.js';
import { readme } from '../evidence/readme.js';
import { fingerprint, publicPem, signManifest } from '../evidence/signature.js';
import { partialSuffix, sha256File, syncDirectory, syncFile, writeDurably } from '../platform/durable-file.js';
import { getCamera } from '../store/cameras.js';
import { measurementNearest } from '../store/clock-measurements.js';
import { deletionsIn } from '../store/deletions.js';
import { getRequest, itemsOf, updateRequest, type RequestItem } from '../store/requests.js';
import { allStreamsOf, streamsOf } from '../store/substreams.js';
import { noApproval, requestSubject, type DisclosureContext } from './context.js';
import { leftOutOf } from './coverage.js';
import { packageFolder } from './files.js';

export interface FilledPackage {
  readonly manifestSha256: string;
  readonly scopeHash: string;
  readonly files: number;
}

/** Fills <id>.partial and syncs it. Throws `approval-void` after having set the request back. */
export async function fillPackage(
  ctx: DisclosureContext,
  user: User,
  id: string,
  signal: AbortSignal,
): Promise<FilledPackage> {
  const { db, clock } = ctx.store;
  const folder = join(ctx.dataDir, packageFolder(id) + partialSuffix);
  const request = getRequest(db, id);
  const items = itemsOf(db, id);
  const terms = termsOf(request);
  for (const name of ['originals', 'redacted', 'keys', 'audit']) await mkdir(join(folder, name), { recursive: true });

  const found: ScopeItem[] = [];
  const changed: string[] = [];
  for (const item of items) {
    const now = await gather(ctx, item, folder, packageNames(item, terms), signal);
    found.push(now);
    if (now.sha256 !== item.sha256) changed.push(`original ${item.position}`);
    if (now.initSha256 !== item.summary.initialisation?.sha256) changed.push(`initialisation segment ${item.position}`);
    if (now.planSha256 !== item.planSha256) changed.push(`plan ${item.position}`);
    if (now.redactedSha256 !== item.redactedSha256) changed.push(`masked copy ${item.position}`);
  }
  const hashes = { scopeHash: scopeHash(request, found, terms), contentHash: contentHash(found) };
  if (hashes.scopeHash !== request.approvalHash || changed.length > 0) throw voidApproval(ctx, user, id, changed);

  const written = async (path: string, text: string): Promise<{ path: string; sha256: string; sizeBytes: number }> => {
    await writeDurably(join(folder, path), text);
    return { path, sha256: await sha256File(join(folder, path)), sizeBytes: Buffer.byteLength(text) };
  };
  const packageKeySha256 = fingerprint(ctx.packageKey);
  const files = [
    await written('keys/package-key.pem', publicPem(ctx.packageKey)),
    await written('keys/audit-key.pem', publicPem(ctx.audit.privateKey)),
    await written(
      'README.txt',
      readme({
        requestId: id,
        site: ctx.site.name,
        journalNumber: request.journalNumber,
        redactedOnly: terms.redactedOnlyReason !== null,
        fragments: items.some((item) => item.summary.initialisation !== undefined),
        packageKey: packageKeySha256,
      }),
    ),
  ];
  const manifest = encodeManifest(
    buildManifest({
      request,
      items,
      cameras: request.cameraIds.map((cameraId) => getCamera(db, cameraId)),
      streams: (cameraId) => streamsOf(db, cameraId),
      deletions: deletionsIn(db, allStreamsOf(db, request.cameraIds), request),
      leftOut: (cameraId) => leftOutOf(db, cameraId, request, items),
      measuredNear: (cameraId, which, atUs) => measurementNearest(db, cameraId, which, atUs),
      synchronised: (await ctx.synchronised?.()) ?? null,
      site: ctx.site,
      version: ctx.version,
      nowUs: clock.nowUs(),
      packagedBy: { id: user.id, role: user.roles.includes('legal') ? 'legal' : 'security' },
      hashes,
      audit: { origin: ctx.audit.origin, keySha256: fingerprint(ctx.audit.privateKey) },
      packageKeySha256,
      files,
    }),
  );
  // Our own reader is the first to refuse it: nothing is signed that a verifier would call misformed.
  parseManifest(manifest);
  const inits = items.filter((item) => item.summary.initialisation !== undefined).length;
  const { sha256 } = await written('manifest.json', manifest);
  await written('manifest.sig', signManifest(manifest, ctx.packageKey));
  for (const name of ['originals', 'redacted', 'keys', 'audit', '.', '..']) await syncDirectory(join(folder, name));
  return { manifestSha256: sha256, scopeHash: hashes.scopeHash, files: items.length * 2 + inits + files.length };
}

/** Puts an item's files into the package and hashes what lies there now. A missing file has the hash "". */
async function gather(
  ctx: DisclosureContext,
  item: RequestItem,
  folder: string,
  names: ReturnType<typeof packageNames>,
  signal: AbortSignal,
): Promise<ScopeItem> {
  const take = async (path: string, name: string | null): Promise<string> => {
    // Retention took it, and its name with it.
    if (path === '') return '';
    const source = join(ctx.dataDir, path);
    try {
      if (name === null) return await sha256File(source, signal);
      await shareFile(source, join(folder, name));
      return await sha256File(join(folder, name), signal);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return '';
      throw signal.aborted ? error : toGatewayError(error, `packaging ${path}`);
    }
  };
  const { initialisation } = item.summary;
  return {
    ...scopeItemOf(item),
    sha256: await take(item.originalPath, names.original),
    planSha256: await take(item.planPath, null),
    redactedSha256: await take(item.redactedPath, names.redacted),
    ...(initialisation === undefined ? {} : { initSha256: await take(initialisation.path, names.init) }),
  };
}

/** The same file under a second name, so that a package takes no space and no time; a copy where that cannot be. */
async function shareFile(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    if (!['EPERM', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'].includes(code)) throw error;
    await copyFile(source, target, constants.COPYFILE_FICLONE);
    await syncFile(target);
  }
}

/**
 * Sets the request back, and gives the error to throw. Where files changed, it has to be prepared anew: `failure` stands in
 * the way of a review of what is not there.
 */
function voidApproval(ctx: DisclosureContext, user: User, id: string, changed: readonly string[]): GatewayError {
  const { db } = ctx.store;
  const actor: Actor = `user:${user.id}`;
  const what =
    changed.length > 0
      ? `Not what was prepared: ${changed.slice(0, 10).join(', ')}.`
      : 'The request is not the one that was approved.';
  ctx.store.act(actor, (note) => {
    assertTransition(id, getRequest(db, id).state, 'prepared');
    updateRequest(db, id, 'prepared', { ...noApproval, failure: changed.length > 0 ? what : null });
    note('request.approval-voided', requestSubject(id), {
      why: 'content-changed',
      changed: [...changed].slice(0, 100),
    });
  });
  return new GatewayError('approval-void', `The approval of request ${id} is void. ${what}`, {
    remedy:
      changed.length > 0 ? 'Prepare it again; it then needs a new review and decision.' : 'Review and decide again.',
    details: { changed: [...changed] },
  });
}
