import { existsSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Gateway } from '../app.js';
import { loadConfig, type Config } from '../config.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { cocoClasses } from '../redaction/detectors/coco.js';
import { installModel } from '../redaction/detectors/install.js';
import { inUse, listModels, manifestOf, putInUse, type InstalledModel } from '../redaction/detectors/installed.js';
import { readManifest } from '../redaction/detectors/manifest.js';
import { define, table, withGateway, type CommonOptions } from './command.js';

interface AddOptions extends CommonOptions {
  readonly manifest?: string;
  readonly decoder?: string;
  readonly name?: string;
  readonly classes?: string;
  readonly channels?: string;
  readonly range?: string;
  readonly size?: string;
  readonly decoded?: true;
  readonly withoutFigures?: true;
}

export function model(program: Command): void {
  const group = program.command('model').description('the detector: which model looks for people');

  define<AddOptions>(
    group
      .command('add')
      .description('check, try and install an ONNX model, and put it in use at once; refused with the reason otherwise')
      .argument(
        '<file>',
        'the .onnx file; its manifest is beside it (.json), or given by --manifest or by the options below',
      )
      .option('--manifest <file>', 'JSON: name, sha256, decoder, classes, input')
      .option('--decoder <name>', 'yolox or centernet')
      .option('--name <name>', 'what reports call it; the name of the file if left out')
      .option('--classes <list>', 'coco, or a file with a class in each line', 'coco')
      .option('--channels <order>', 'rgb or bgr; as its decoder is usually trained if left out')
      .option('--range <range>', '0-255 or 0-1', '0-255')
      .option('--size <WxH>', 'if the file does not say it')
      .option('--decoded', 'a YOLOX that gives boxes in pixels')
      .option('--without-figures', 'accept a model that finds none of the drawn people (thermal pictures)'),
    ({ args: [input = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        assertFree(gateway.config);
        const file = resolve(input);
        const candidate = { file, manifest: saidOf(file, options), withoutFigures: options.withoutFigures === true };
        const installed = await installModel(gateway.config.data, candidate, signal);
        const { name, sha256, decoder, lookMs, drawn, seen } = installed;
        await use(gateway, installed, { added: { sha256, decoder, drawn, seen } });
        const json = { name, sha256, decoder, inUse: true, lookMs: Math.round(lookMs), drawn, seen };
        const text = `${name} is in use. It found ${seen} of ${drawn} drawn people, and takes ${lookMs.toFixed(0)} ms for a look.`;
        return { json, text };
      }),
  );

  define(group.command('list').description('the models there are, and which one is in use'), ({ options }) => {
    const config = loadConfig(options.config);
    const { detector } = config.redaction;
    const current = readManifest(manifestOf(detector, config.data));
    const models = listModels(config.data).map(({ name, sha256, decoder }) => {
      return { name, sha256, decoder, inUse: name === current.name && sha256 === current.sha256 };
    });
    const rows = models.map((one) => [one.inUse ? '*' : '', one.name, one.decoder, one.sha256]);
    const pinned = detector === inUse ? '' : `\nThe configuration says redaction.detector: ${detector}`;
    return Promise.resolve({
      json: { models, detector },
      text: `${table(['', 'name', 'decoder', 'SHA-256'], rows)}${pinned}`,
    });
  });

  define(
    group
      .command('use')
      .description('put another one of the models in use; "centernet" is the built-in one')
      .argument('<name>'),
    ({ args: [name = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        assertFree(gateway.config);
        const models = listModels(gateway.config.data);
        const found = models.find((one) => one.name === name);
        if (found === undefined) {
          throw new GatewayError('not-found', `There is no model "${name}".`, {
            remedy: `There are: ${models.map((one) => one.name).join(', ')}.`,
          });
        }
        await use(gateway, found);
        return { json: { name, sha256: found.sha256, inUse: true }, text: `${name} is in use.` };
      }),
  );
}

/** Asked first: what the configuration names wins, and a model that is installed but not used would be a surprise. */
function assertFree({ redaction, file }: Config): void {
  if (redaction.detector === inUse) return;
  throw new GatewayError('conflict', `${file} names the model itself (redaction.detector: ${redaction.detector}).`, {
    remedy: 'Remove redaction.detector there, then the model that is put in use here counts.',
  });
}

/**
 * The event comes first: a model that looks for people without the log knowing would be worse than one in the log that a
 * crash kept from being used (the plans name the model they were made with, and the command can be given again). Where the
 * record cannot be written, the log says that it stayed as it was.
 */
async function use(
  { store, config }: Gateway,
  chosen: InstalledModel,
  { added }: { added?: Readonly<Record<string, string | number>> } = {},
): Promise<void> {
  const former = currentOrNull(config);
  store.act('operator', (note) => {
    if (added !== undefined) note('model.added', `model:${chosen.name}`, added);
    note('model.used', `model:${chosen.name}`, { sha256: chosen.sha256, former: former?.sha256 ?? null });
  });
  try {
    await putInUse(config.data, chosen);
  } catch (error) {
    if (former !== null) {
      store.act('operator', (note) => {
        note('model.used', `model:${former.name}`, { sha256: former.sha256, former: chosen.sha256 });
      });
    }
    throw error;
  }
}

function currentOrNull(config: Config): { name: string; sha256: string } | null {
  try {
    return readManifest(manifestOf(inUse, config.data));
  } catch (error) {
    // Damaged or gone, and about to be replaced.
    if (error instanceof GatewayError) return null;
    throw error;
  }
}

/** What a person says of the model: a manifest, or the options. Its form is checked with the file at hand. */
function saidOf(file: string, options: AddOptions): unknown {
  const beside = file.replace(/\.onnx$/i, '') + '.json';
  const manifest = options.manifest ?? (options.decoder === undefined && existsSync(beside) ? beside : undefined);
  if (manifest !== undefined && options.decoder !== undefined) {
    throw new GatewayError('usage', 'Both --manifest and --decoder are given.', { remedy: 'Give one of them.' });
  }
  if (manifest !== undefined) return readManifestFile(manifest);
  if (options.decoder === undefined) {
    throw new GatewayError('usage', `Nothing says how ${file} is read: there is no ${beside}.`, {
      remedy: 'Give --manifest FILE, or --decoder with --name and --classes.',
    });
  }
  const size = /^(\d+)x(\d+)$/.exec(options.size ?? '');
  if (options.size !== undefined && size === null) {
    throw new GatewayError('usage', `"${options.size}" is no size.`, { remedy: 'Write it as 640x640.' });
  }
  return {
    name:
      options.name ??
      basename(file)
        .replace(/\.onnx$/i, '')
        .toLowerCase(),
    decoder: options.decoder,
    classes: classesOf(options.classes ?? 'coco'),
    ...(options.decoded === true && { decoded: true }),
    input: {
      layout: 'nchw',
      channels: options.channels ?? (options.decoder === 'yolox' ? 'bgr' : 'rgb'),
      range: options.range ?? '0-255',
      ...(size && { size: { width: Number(size[1]), height: Number(size[2]) } }),
    },
  };
}

function readManifestFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new GatewayError('input-invalid', `The manifest ${file} cannot be read: ${toGatewayError(error).message}`, {
      remedy: 'Name a JSON file; README.md has an example.',
      cause: error,
    });
  }
}

function classesOf(list: string): readonly string[] {
  if (list === 'coco') return cocoClasses;
  try {
    return readFileSync(list, 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  } catch (error) {
    throw new GatewayError('usage', `The classes in ${list} cannot be read: ${toGatewayError(error).message}`, {
      remedy: 'Use coco, or a text file with a class in each line.',
      cause: error,
    });
  }
}
