/** From a file that somebody brought to an installed model, or a refusal that leaves nothing behind. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { GatewayError, toGatewayError } from '../../errors.js';
import { partialSuffix, syncDirectory, writeDurably } from '../../platform/durable-file.js';
import type { DetectorManifest } from './detector.js';
import { builtIn, manifestIn, modelsFolder, type InstalledModel } from './installed.js';
import { manifestShape, readManifest } from './manifest.js';
import { readOnnx, type OnnxFile, type OnnxValue } from './onnx-file.js';
import { tryModel } from './trial.js';

/** Larger than any detector for two cores; ONNX itself ends at 2 GB. */
const largestBytes = 1 << 30;
const float32 = 1;

export interface Candidate {
  /** The ONNX file. */
  readonly file: string;
  /**
   * What a person says of it, as its manifest or as far as the file does not say it itself: `version`, `file`, `sha256` and
   * the name and size of `input` may be left out. Checked here.
   */
  readonly manifest: unknown;
  /** Accept a model that finds none of the drawn people: of a thermal camera, say. */
  readonly withoutFigures: boolean;
}

export interface Installed extends InstalledModel {
  readonly lookMs: number;
  readonly drawn: number;
  readonly seen: number;
}

function refused(file: string, reason: string, remedy: string, cause?: unknown): GatewayError {
  return new GatewayError('input-invalid', `${file} is refused: ${reason}`, { remedy, cause });
}

/** Read once, and these bytes are judged, tried and kept: the file may change or be swapped meanwhile. */
async function readModel(file: string): Promise<Buffer> {
  try {
    const handle = await open(file);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw refused(file, 'it is not a file.', 'Name the .onnx file of a model.');
      if (stat.size > largestBytes) {
        throw refused(file, `it is larger than ${largestBytes >> 20} MiB.`, 'Use a model for ordinary processors.');
      }
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new GatewayError('not-found', `There is no file ${file}.`, { remedy: 'Check the path.', cause: error });
    }
    throw toGatewayError(error, `reading ${file}`);
  }
}

/** The input of the file, where there is but one: its name and size need not be said again. */
function inputOf(onnx: OnnxFile): object {
  const [only, ...others] = onnx.inputs;
  if (only === undefined || others.length > 0) return {};
  const [height, width] = [only.dims[2] ?? null, only.dims[3] ?? null];
  const size = width === null || height === null ? { multipleOf: 32 } : { width, height };
  return { name: only.name, size };
}

function completed(candidate: Candidate, onnx: OnnxFile, sha256: string): DetectorManifest {
  const said = typeof candidate.manifest === 'object' && candidate.manifest !== null ? candidate.manifest : {};
  const input = 'input' in said && typeof said.input === 'object' ? said.input : {};
  const own = { version: 2, file: basename(candidate.file), sha256 };
  const parsed = manifestShape.safeParse({ ...own, ...said, input: { ...inputOf(onnx), ...input } });
  if (!parsed.success) {
    const why = z.prettifyError(parsed.error).replaceAll(/\s*\n\s*/g, ' ');
    throw refused(
      candidate.file,
      `its manifest does not fit. ${why}`,
      'Correct the manifest; README.md has an example.',
    );
  }
  const manifest = parsed.data;
  const remedy = 'Get the file and its manifest again from where they came.';
  if (manifest.sha256 !== sha256) {
    throw refused(candidate.file, `its SHA-256 is ${sha256}, its manifest says ${manifest.sha256}.`, remedy);
  }
  if (manifest.file !== own.file) throw refused(candidate.file, `its manifest is of ${manifest.file}.`, remedy);
  if (manifest.name === builtIn) {
    throw refused(candidate.file, `"${builtIn}" is the built-in model.`, 'Give it another name.');
  }
  return { ...manifest, file: 'model.onnx' };
}

const shapeOf = ({ dims }: OnnxValue): string => `[${dims.map((dim) => dim ?? '?').join(', ')}]`;

/** What the file says of itself against the manifest; what it leaves open, the trial finds out. */
function misfit(onnx: OnnxFile, { input, decoder, classes }: DetectorManifest): string | null {
  const value = onnx.inputs.find(({ name }) => name === input.name);
  if (value === undefined || onnx.inputs.length > 1) {
    const names = onnx.inputs.map(({ name }) => `"${name}"`).join(', ');
    return `it must have the one input "${input.name}", and has ${names === '' ? 'none' : names}.`;
  }
  if (value.elementType !== float32) return `its input is not of float32 (ONNX type ${value.elementType}).`;
  const [batch, channels, height, width] = value.dims;
  const size = 'multipleOf' in input.size ? { width: null, height: null } : input.size;
  const fits = (has: number | null | undefined, wanted: number | null): boolean => has === null || has === wanted;
  const isOpen = 'multipleOf' in input.size && height === null && width === null;
  if (
    value.dims.length !== 4 ||
    !fits(batch, 1) ||
    !fits(channels, 3) ||
    !(isOpen || (size.width !== null && fits(height, size.height) && fits(width, size.width)))
  ) {
    const wanted = `[1, 3, ${size.height ?? '?'}, ${size.width ?? '?'}]`;
    return `its input has the shape ${shapeOf(value)}, and its manifest means ${wanted}.`;
  }
  const names = onnx.outputs.map(({ name }) => name);
  if (decoder === 'centernet') {
    const missing = ['scores', 'distances'].filter((name) => !names.includes(name));
    return missing.length === 0 ? null : `it has no output ${missing.join(' and ')}, which centernet needs.`;
  }
  const [output, ...others] = onnx.outputs;
  if (output === undefined || others.length > 0) return `it has ${onnx.outputs.length} outputs; yolox needs one.`;
  const columns = 5 + classes.length;
  if (output.dims.length > 0 && (output.dims.length !== 3 || !fits(output.dims[2], columns))) {
    return `its output has the shape ${shapeOf(output)}; yolox with ${classes.length} classes gives [1, ?, ${columns}].`;
  }
  return null;
}

/**
 * Checks, tries and copies a model. It is not in use yet when this returns. GatewayError: `input-invalid` with the reason
 * where it does not fit, `conflict` where another model has its name, `not-found`, `disk-full`, `io-failed`, `interrupted`;
 * nothing is left behind by any of them. A kill leaves NAME.partial, which nothing reads and the next try removes.
 */
export async function installModel(dataDir: string, candidate: Candidate, signal?: AbortSignal): Promise<Installed> {
  const model = await readModel(candidate.file);
  const sha256 = createHash('sha256').update(model).digest('hex');
  let onnx: OnnxFile;
  try {
    onnx = readOnnx(model);
  } catch (error) {
    const remedy = 'Export it as one ONNX file, with its weights inside.';
    throw refused(candidate.file, (error as Error).message, remedy, error);
  }
  const manifest = completed(candidate, onnx, sha256);
  const wrong = misfit(onnx, manifest);
  if (wrong !== null) throw refused(candidate.file, wrong, 'Correct the manifest, or export the model anew.');

  const folder = join(modelsFolder(dataDir), manifest.name);
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  assertNameIsFree(folder, manifest);
  const partial = folder + partialSuffix;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await writeDurably(join(partial, manifest.file), model);
    await writeDurably(manifestIn(partial), text);
    const report = await tryModel(manifestIn(partial), signal);
    if (!report.ok) throw refused(candidate.file, report.reason, 'Correct the manifest, or use another model.');
    if (report.seen === 0 && !candidate.withoutFigures) {
      throw refused(
        candidate.file,
        `it finds none of ${report.drawn} drawn people; it would mask nobody.`,
        'Mostly channels, range or decoder of the manifest are wrong. If it is right so (thermal pictures): --without-figures.',
      );
    }
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
    await syncDirectory(modelsFolder(dataDir));
    const { name, decoder } = manifest;
    const { lookMs, drawn, seen } = report;
    return { name, sha256, decoder, manifestPath: manifestIn(folder), lookMs, drawn, seen };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    await rmdir(modelsFolder(dataDir)).catch(() => undefined); // Others are in it, or it was never made.
    throw toGatewayError(error, `installing ${candidate.file}`);
  }
}

/** The same model may be added again, to try or repair it; another one never takes a name that reports already mention. */
function assertNameIsFree(folder: string, manifest: DetectorManifest): void {
  if (!existsSync(folder)) return;
  let there: DetectorManifest;
  try {
    there = readManifest(manifestIn(folder));
  } catch {
    return; // Damaged: what is installed now repairs it.
  }
  if (there.sha256 === manifest.sha256) return;
  throw new GatewayError('conflict', `There is another model "${manifest.name}" already.`, {
    remedy: `Choose another name, or put it in use again with "tredive model use ${manifest.name}".`,
  });
}
