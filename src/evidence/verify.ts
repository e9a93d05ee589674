/** Checks an evidence package, offline, in named steps. The package is hostile: whatever it holds ends in a failed check. */
import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import type { AuditEvent } from '../domain/audit-event.js';
import type { Checkpoint } from '../domain/checkpoint.js';
import { filesOf, hashesOf, parseManifest, type Manifest } from '../domain/manifest.js';
import { toGatewayError } from '../errors.js';
import { checkPin, makeChecks, need, wrong, type CheckOf, type StepOf } from './checks.js';
import { openFolder } from './folder-source.js';
import { checkCheckpoint, checkProof } from './proof.js';
import { checkSignature, fingerprint, readPublicKey } from './signature.js';
import { printable, type PackageFile, type PackageSource } from './source.js';
import { openZip } from './zip-source.js';

export const checkNames = [
  'archive',
  'structure',
  'manifest-form',
  'manifest-signature',
  'file-hashes',
  'no-extra-files',
  'no-missing-files',
  'audit-checkpoint',
  'audit-inclusion',
  'package-event',
  'approval',
  'key-pin',
] as const;
export type CheckName = (typeof checkNames)[number];

export type Check = CheckOf<CheckName>;

export interface VerifyReport {
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/** What stands beside the files that the manifest vouches for, and how large it can be at most. */
const companions: ReadonlyMap<string, number> = new Map([
  ['manifest.json', 64 << 20],
  ['manifest.sig', 4 << 10],
  ['README.txt', 1 << 20],
  ['keys/package-key.pem', 16 << 10],
  ['keys/audit-key.pem', 16 << 10],
  ['audit/checkpoint.txt', 16 << 10],
  ['audit/proof.json', 64 << 20],
]);
/** Vouched for by nobody but themselves: the signature is over the manifest, the proof is against a signed root. */
const unlisted = new Set(['manifest.json', 'manifest.sig', 'audit/checkpoint.txt', 'audit/proof.json']);

/** Every check is always in the report; one that could not be made because of an earlier one is not ok and says so. */
export async function verifyPackage(
  path: string,
  options: { readonly publicKeyPem?: string } = {},
): Promise<VerifyReport> {
  const { checks, step } = makeChecks<CheckName>();
  const source = await step('archive', async () => {
    const opened = await openPackage(path);
    if (opened.problems.length === 0) return [opened, `a ${opened.kind} of ${opened.files.size} files`];
    await opened.close();
    throw wrong(opened.problems.join('; '));
  });
  if (source !== null) {
    try {
      await checkContent(source, options.publicKeyPem, step);
    } finally {
      await source.close();
    }
  }
  const made = new Map(checks.map((check) => [check.name, check]));
  const all = checkNames.map(
    (name): Check => made.get(name) ?? { name, ok: false, detail: 'Not checked: the package cannot be read.' },
  );
  return { ok: all.every((check) => check.ok), checks: all };
}

async function openPackage(path: string): Promise<PackageSource> {
  const found = await lstat(path);
  if (found.isDirectory()) return openFolder(path);
  if (found.isFile()) return openZip(path);
  throw wrong(`${path} is neither a folder nor a file.`);
}

async function checkContent(source: PackageSource, pin: string | undefined, step: StepOf<CheckName>): Promise<void> {
  const small = await step('structure', () => checkStructure(source));
  const textOf = (name: string): string => {
    const bytes = small?.get(name);
    if (bytes === undefined) throw wrong(`Not checked: ${name} cannot be read.`);
    return bytes.toString('utf8');
  };
  const manifest = await step('manifest-form', () => {
    const parsed = parseManifest(textOf('manifest.json'));
    return [
      parsed,
      `request ${parsed.request.id}, ${parsed.items.length} recordings, by tredive ${parsed.software.version}`,
    ];
  });
  const key = await step('manifest-signature', () => {
    const packageKey = readPublicKey(textOf('keys/package-key.pem'), 'keys/package-key.pem');
    checkSignature(textOf('manifest.sig'), small?.get('manifest.json') ?? Buffer.alloc(0), packageKey);
    if (manifest !== null && manifest.packageKeySha256 !== fingerprint(packageKey)) {
      throw wrong('The manifest names another key than keys/package-key.pem.');
    }
    return [packageKey, `by the key ${fingerprint(packageKey)}`];
  });
  await step('file-hashes', () => checkHashes(source, need(manifest, 'the manifest')));
  await step('no-extra-files', () => checkNoExtra(source, need(manifest, 'the manifest')));
  await step('no-missing-files', () => checkNoMissing(source, need(manifest, 'the manifest')));
  const checkpoint = await step('audit-checkpoint', () =>
    checkAuditNote(textOf('audit/checkpoint.txt'), textOf('keys/audit-key.pem'), need(manifest, 'the manifest')),
  );
  const events = await step('audit-inclusion', () => {
    const { request } = need(manifest, 'the manifest');
    const proven = checkProof(textOf('audit/proof.json'), need(checkpoint, 'the checkpoint'), request.id);
    return [proven, `${proven.length} events of ${request.id} are in the log`];
  });
  await step('package-event', () => {
    const packaged = need(events, 'the proof').findLast((event) => event.type === 'request.packaged');
    const sha256 = createHash('sha256')
      .update(small?.get('manifest.json') ?? Buffer.alloc(0))
      .digest('hex');
    if (packaged === undefined) throw wrong('The log has no event for this package.');
    if (packaged.data['manifestSha256'] !== sha256) throw wrong('The log names another manifest than manifest.json.');
    return [null, `entry ${packaged.seq} names this manifest`];
  });
  await step('approval', () => [null, checkApproval(need(manifest, 'the manifest'), need(events, 'the proof'))]);
  await step('key-pin', () => [null, checkPin(need(key, 'the signature'), pin)]);
}

/** The small files, read whole but for no more than each can have. */
async function checkStructure(source: PackageSource): Promise<[Map<string, Buffer>, string]> {
  const read = new Map<string, Buffer>();
  const problems: string[] = [];
  for (const [name, maxBytes] of companions) {
    const file = source.files.get(name);
    if (file === undefined) problems.push(`${name} is missing`);
    else if (file.sizeBytes > maxBytes) problems.push(`${name} is larger than ${maxBytes} bytes`);
    else read.set(name, await readWhole(file, maxBytes));
  }
  if (problems.length > 0) throw wrong(problems.join('; '));
  return [read, 'manifest, signature, keys and proof are there'];
}

async function readWhole(file: PackageFile, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  await file.read((chunk) => {
    length += chunk.length;
    // Its size was looked at before; a file that grows meanwhile must not fill the memory.
    if (length > maxBytes) throw wrong('A file is larger than it said.');
    chunks.push(Buffer.from(chunk));
  });
  return Buffer.concat(chunks);
}

async function checkHashes(source: PackageSource, manifest: Manifest): Promise<[null, string]> {
  const problems: string[] = [];
  let checked = 0;
  for (const { path, sha256, sizeBytes } of filesOf(manifest)) {
    const file = source.files.get(path);
    if (file === undefined) continue; // no-missing-files names it
    checked += 1;
    if (file.sizeBytes !== sizeBytes) {
      problems.push(`${path} has ${file.sizeBytes} bytes, not ${sizeBytes}`);
      continue;
    }
    const hash = createHash('sha256');
    try {
      await file.read((chunk) => {
        hash.update(chunk);
      });
      if (hash.digest('hex') !== sha256) problems.push(`${path} is not what the manifest says`);
    } catch (error) {
      problems.push(toGatewayError(error, path).message);
    }
  }
  if (problems.length > 0) throw wrong(listed(problems));
  return [null, `${checked} files are what the manifest says`];
}

function checkNoExtra(source: PackageSource, manifest: Manifest): [null, string] {
  const known = new Set([...filesOf(manifest).map((file) => file.path), ...unlisted]);
  const extra = [...source.files.keys()].filter((name) => !known.has(name)).map(printable);
  if (extra.length > 0) throw wrong(`Not in the manifest: ${listed(extra)}`);
  return [null, 'nothing that the manifest does not name'];
}

function checkNoMissing(source: PackageSource, manifest: Manifest): [null, string] {
  const missing = filesOf(manifest).filter((file) => !source.files.has(file.path));
  if (missing.length > 0) throw wrong(`Missing: ${listed(missing.map((file) => file.path))}`);
  return [null, 'everything that the manifest names'];
}

function checkAuditNote(note: string, pem: string, manifest: Manifest): [Checkpoint, string] {
  const auditKey = readPublicKey(pem, 'keys/audit-key.pem');
  if (fingerprint(auditKey) !== manifest.audit.keySha256) {
    throw wrong('keys/audit-key.pem is another key than the manifest names.');
  }
  const checkpoint = checkCheckpoint(note, auditKey, manifest.audit.origin);
  return [checkpoint, `${checkpoint.origin}, ${checkpoint.size} entries, by the key ${fingerprint(auditKey)}`];
}

/**
 * The law of the product: one asks, another one looks at the masks, and not the one who asked decides; what was approved is
 * what is here; and nothing made the approval void between it and the package.
 */
function checkApproval(manifest: Manifest, events: readonly AuditEvent[]): string {
  const { requestedBy, reviewedBy, decidedBy, packagedBy } = manifest.people;
  const packagedAt = events.findLastIndex((event) => event.type === 'request.packaged');
  const before = events.slice(0, packagedAt + 1);
  const last = (type: AuditEvent['type']): { event: AuditEvent; at: number } => {
    const at = before.findLastIndex((event) => event.type === type);
    const event = before[at];
    if (event === undefined) throw wrong(`The log has no event "${type}" before the package.`);
    return { event, at };
  };
  const hashes = hashesOf(manifest);
  const { approval } = manifest;
  if (hashes.scopeHash !== approval.scopeHash || hashes.contentHash !== approval.contentHash) {
    throw wrong('What the manifest lists is not what its own approval is bound to.');
  }
  const created = last('request.created');
  const prepared = last('request.prepared');
  const reviewed = last('request.reviewed');
  const approved = last('request.approved');
  const packaged = last('request.packaged');
  if (approved.event.data['scopeHash'] !== approval.scopeHash) throw wrong('The log approves something else.');
  for (const { event } of [prepared, reviewed, approved]) {
    if (event.data['contentHash'] !== approval.contentHash) throw wrong(`"${event.type}" was about other content.`);
  }
  const order = [created.at, prepared.at, reviewed.at, approved.at, packaged.at];
  if (order.some((at, index) => index > 0 && at <= (order[index - 1] ?? 0))) {
    throw wrong('Asking, preparing, reviewing, approving and packaging are not in this order in the log.');
  }
  const after = before.slice(approved.at + 1).find((event) => event.type !== 'request.packaged');
  if (after !== undefined) throw wrong(`"${after.type}" came after the approval.`);
  for (const [who, { event }] of [
    [requestedBy, created],
    [reviewedBy, reviewed],
    [decidedBy, approved],
    [packagedBy, packaged],
  ] as const) {
    if (event.actor !== `user:${who.id}`) throw wrong(`"${event.type}" was not done by ${printable(who.id)}.`);
  }
  if (reviewedBy.id === requestedBy.id || decidedBy.id === requestedBy.id) {
    throw wrong('The one who asked also reviewed or approved.');
  }
  if (reviewedBy.role !== 'legal' || decidedBy.role !== 'legal') throw wrong('It was not legal who approved.');
  return `asked by ${requestedBy.id}, reviewed by ${reviewedBy.id}, approved by ${decidedBy.id}`;
}

const listed = (names: readonly string[]): string =>
  names.slice(0, 20).join('; ') + (names.length > 20 ? `; and ${names.length - 20} more` : '');
