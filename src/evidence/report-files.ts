/**
 * A deletion report as a folder that proves itself: the report as JSON, on paper in two languages, the public keys, and a list of
 * hashes as `sha256sum -c` reads it, signed with the key that signs packages.
 */
import { createHash, type KeyObject } from 'node:crypto';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint } from '../domain/checkpoint.js';
import { encodeReport, parseReport, type DeletionReport } from '../domain/deletion-report.js';
import { toGatewayError } from '../errors.js';
import { writeDurably } from '../platform/durable-file.js';
import { checkPin, makeChecks, need, wrong, type CheckOf } from './checks.js';
import { reportPdf } from './report-pdf.js';
import { reportLanguages, type ReportLanguage } from './report-texts.js';
import { checkSignature, fingerprint, publicPem, readPublicKey, signManifest } from './signature.js';

const names = { json: 'report.json', sums: 'SHA256SUMS', signature: 'SHA256SUMS.sig' } as const;
const keyNames = { report: 'report-key.pem', audit: 'audit-key.pem' } as const;
export const pdfName = (language: ReportLanguage): string => `report.${language}.pdf`;
/** Everything that the list of hashes has, in its order. */
const listed = [names.json, ...reportLanguages.map(pdfName), keyNames.audit, keyNames.report] as const;
/** Every file of a report. */
export const reportFiles: readonly string[] = [...listed, names.sums, names.signature];

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Writes a report into `folder`, the signature last: a folder without it was not finished. Gives the hash of the JSON. The
 * same report gives the same bytes.
 */
export async function writeReport(
  folder: string,
  report: DeletionReport,
  keys: { readonly report: KeyObject; readonly auditPublic: KeyObject },
): Promise<{ readonly sha256: string }> {
  const contents = new Map<string, string | Uint8Array>([
    [names.json, encodeReport(report)],
    [keyNames.audit, publicPem(keys.auditPublic)],
    [keyNames.report, publicPem(keys.report)],
  ]);
  for (const language of reportLanguages) contents.set(pdfName(language), await reportPdf(report, language));
  const sums = listed.map((name) => `${sha256(contents.get(name) ?? '')}  ${name}\n`).join('');
  for (const [name, bytes] of contents) await writeDurably(join(folder, name), bytes);
  await writeDurably(join(folder, names.sums), sums);
  await writeDurably(join(folder, names.signature), signManifest(sums, keys.report));
  return { sha256: sha256(encodeReport(report)) };
}

export const reportCheckNames = [
  'structure',
  'signature',
  'file-hashes',
  'report-form',
  'keys',
  'checkpoints',
  'key-pin',
] as const;

type ReportCheck = CheckOf<(typeof reportCheckNames)[number]>;

export interface ReportVerdict {
  readonly ok: boolean;
  readonly checks: readonly ReportCheck[];
}

/** Whether a folder claims to be a report. */
export const isReport = (folder: string): Promise<boolean> =>
  lstat(join(folder, names.json)).then(
    (found) => found.isFile(),
    // None there: then it is something else, and whoever asked says what.
    () => false,
  );

const maxBytes = 256 << 20;

/** Checks a report, offline. The folder is hostile: whatever it holds ends in a failed check. Every check is in the result. */
export async function verifyReport(
  folder: string,
  options: { readonly publicKeyPem?: string } = {},
): Promise<ReportVerdict> {
  const { checks, step } = makeChecks<(typeof reportCheckNames)[number]>();
  const files = await step('structure', async () => [
    await readAll(folder),
    'report, paper, keys and signature are there',
  ]);
  const bytesOf = (name: string): Buffer => need(files, 'the structure').get(name) ?? Buffer.alloc(0);
  const textOf = (name: string): string => bytesOf(name).toString('utf8');
  const key = await step('signature', () => {
    const found = readPublicKey(textOf(keyNames.report), keyNames.report);
    checkSignature(textOf(names.signature), bytesOf(names.sums), found, {
      ...{ signature: names.signature, signed: names.sums, key: keyNames.report },
    });
    return [found, `by the key ${fingerprint(found)}`];
  });
  await step('file-hashes', () => {
    const right = listed.map((name) => `${sha256(bytesOf(name))}  ${name}\n`).join('');
    if (right === textOf(names.sums)) return [null, `${listed.length} files are what was signed`];
    const lines = new Set(textOf(names.sums).split('\n'));
    const changed = listed.filter((name) => !lines.has(`${sha256(bytesOf(name))}  ${name}`));
    throw wrong(changed.length > 0 ? `Not what was signed: ${changed.join(', ')}` : `${names.sums} lists other files.`);
  });
  const report = await step('report-form', () => {
    const parsed = parseReport(textOf(names.json));
    return [parsed, `${parsed.month} of ${parsed.site.name}, ${parsed.cameras.length} cameras`];
  });
  const auditKey = await step('keys', () => {
    const { audit, reportKeySha256 } = need(report, 'the report');
    const found = readPublicKey(textOf(keyNames.audit), keyNames.audit);
    if (fingerprint(found) !== audit.keySha256) throw wrong(`${keyNames.audit} is another key than the report names.`);
    if (fingerprint(need(key, 'the signature')) !== reportKeySha256)
      throw wrong(`${keyNames.report} is another key than the report names.`);
    return [found, 'the keys are those that the report names'];
  });
  await step('checkpoints', () => [null, checkCheckpoints(need(report, 'the report'), need(auditKey, 'the keys'))]);
  await step('key-pin', () => [null, checkPin(need(key, 'the signature'), options.publicKeyPem)]);
  return { ok: checks.every(({ ok }) => ok), checks };
}

async function readAll(folder: string): Promise<Map<string, Buffer>> {
  const read = new Map<string, Buffer>();
  const problems: string[] = [];
  for (const name of reportFiles) {
    try {
      // Of itself: a link could lead to anything that whoever checks may read.
      const found = await lstat(join(folder, name));
      if (!found.isFile()) problems.push(`${name} is no file`);
      else if (found.size > maxBytes) problems.push(`${name} is too large`);
      else read.set(name, await readWhole(join(folder, name)));
    } catch (error) {
      problems.push(toGatewayError(error, name).message);
    }
  }
  if (problems.length > 0) throw wrong(problems.join('; '));
  return read;
}

async function readWhole(path: string): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Both are notes of the named log, signed by its key, and the log only grew between them. */
function checkCheckpoints({ audit }: DeletionReport, auditKey: KeyObject): string {
  const sizes = [audit.first, audit.last].map((of) => {
    if (of === null) return 0;
    const { origin, size } = openCheckpoint(of.note, auditKey);
    if (origin !== audit.origin || size !== of.size)
      throw wrong('A checkpoint is of another log or size than the report says.');
    return size;
  });
  const [first = 0, last = 0] = sizes;
  if (first > last) throw wrong('The log is shorter at the end of the month than at its beginning.');
  return `entries ${first} to ${last} of ${audit.origin}`;
}
