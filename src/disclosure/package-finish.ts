/** Steps after the log was told: proof, ZIP, verification, renames. Each can be done again; a crash is finished by this. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { filesOf, parseManifest } from '../domain/manifest.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { writeArchive } from '../evidence/archive.js';
import { makeProof } from '../evidence/proof.js';
import { recordOf } from '../evidence/record.js';
import { publicPem } from '../evidence/signature.js';
import { verifyPackage } from '../evidence/verify.js';
import { partialSuffix, syncDirectory, writeDurably } from '../platform/durable-file.js';
import { eventsOf } from '../store/audit-log.js';
import { derivedOfRequest, forgetDerived } from '../store/derived-files.js';
import { getRequest } from '../store/requests.js';
import { requestSubject, type DisclosureContext } from './context.js';
import { packageArchive, packageFolder, recordFile } from './files.js';

export interface FinishedPackage {
  /** Absolute paths. */
  readonly directory: string;
  readonly archive: string;
  readonly manifestSha256: string;
}

/** Whether the log speaks of a package that does not have its name yet. */
export const isUnfinished = (ctx: DisclosureContext, id: string): boolean =>
  getRequest(ctx.store.db, id).state === 'packaged' &&
  !existsSync(join(ctx.dataDir, packageFolder(id))) &&
  existsSync(join(ctx.dataDir, packageFolder(id) + partialSuffix));

/** Throws `verification-failed` where the .partial is not what the log speaks of, and what writing throws. */
export async function finishPackage(
  ctx: DisclosureContext,
  id: string,
  signal?: AbortSignal,
): Promise<FinishedPackage> {
  const directory = join(ctx.dataDir, packageFolder(id));
  const archive = join(ctx.dataDir, packageArchive(id));
  const partial = directory + partialSuffix;
  try {
    const json = await readFile(join(partial, 'manifest.json'), 'utf8');
    const manifestSha256 = createHash('sha256').update(json).digest('hex');
    const packaged = eventsOf(ctx.store.db, requestSubject(id)).findLast((event) => event.type === 'request.packaged');
    if (packaged?.data['manifestSha256'] !== manifestSha256) throw broken(id, 'its manifest is not the one in the log');
    const manifest = parseManifest(json);

    const { checkpoint, proof } = makeProof(ctx.store.db, id, ctx.audit);
    await mkdir(join(partial, 'audit'), { recursive: true });
    await writeDurably(join(partial, 'audit/checkpoint.txt'), checkpoint);
    await writeDurably(join(partial, 'audit/proof.json'), proof);

    // What a person opens first stands first; the rest by name.
    const names = [
      'README.txt',
      'manifest.json',
      'manifest.sig',
      'audit/checkpoint.txt',
      'audit/proof.json',
      ...filesOf(manifest)
        .map((file) => file.path)
        .filter((path) => path !== 'README.txt')
        .sort(),
    ];
    await writeArchive(partial, names, archive + partialSuffix, new Date(manifest.created.us / 1000), signal);
    // Read back as the recipient will: a package that does not verify here is not handed to anybody.
    const report = await verifyPackage(archive + partialSuffix, { publicKeyPem: publicPem(ctx.packageKey) });
    const failed = report.checks.find((check) => !check.ok);
    if (failed !== undefined) throw broken(id, `${failed.name}: ${failed.detail}`);

    await writeDurably(join(ctx.dataDir, recordFile(id)), recordOf(json));
    await rename(archive + partialSuffix, archive);
    await rename(partial, directory);
    await syncDirectory(join(directory, '..'));
    forgetPartial(ctx, id, 'temporary');
    return { directory, archive, manifestSha256 };
  } catch (error) {
    throw toGatewayError(error, `finishing the package of request ${id}`);
  }
}

const broken = (id: string, what: string): GatewayError =>
  new GatewayError('verification-failed', `The package of request ${id} does not verify: ${what}.`, {
    remedy: 'Look for a damaged disk. Close this request and make a new one; the footage is held until then.',
  });

/** Forgets the registered names of a package: the temporary ones once it has its name, all where there is none. */
export function forgetPartial(ctx: DisclosureContext, id: string, which: 'temporary' | 'all'): void {
  const { db } = ctx.store;
  db.transaction(() => {
    for (const file of derivedOfRequest(db, id)) {
      if (!file.path.startsWith('packages/')) continue;
      if (which === 'all' || file.path.endsWith(partialSuffix)) forgetDerived(db, file.id);
    }
  }).immediate();
}
