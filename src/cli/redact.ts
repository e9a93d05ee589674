import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { openGateway, redactionOf } from '../app.js';
import { initOf } from '../domain/fragment.js';
import { maskEveryone } from '../domain/redaction-plan.js';
import { parseInstant } from '../domain/time.js';
import { GatewayError } from '../errors.js';
import { sha256File, writeDurably } from '../platform/durable-file.js';
import { withJoined } from '../platform/joined-file.js';
import { decisionsForm, zonesForm } from '../redaction/forms.js';
import type { CopyLabel } from '../redaction/label.js';
import { redactFile } from '../redaction/apart.js';
import { defaultRedaction, reportOf } from '../redaction/redact.js';
import { define, progressBar, type CommonOptions } from './command.js';
import { overlapText, readJson } from './request.js';

interface RedactOptions extends CommonOptions {
  readonly style: 'solid' | 'pixelate';
  readonly report?: string;
  readonly keep?: string;
  readonly vehicles?: true;
  readonly zones?: string;
  readonly label?: true;
  readonly case?: string;
  readonly camera?: string;
  readonly start?: string;
  readonly force?: true;
}

export function redact(program: Command): void {
  define<RedactOptions>(
    program
      .command('redact')
      .description('mask people in one file; nothing is written unless every frame of the result was proved')
      .argument('<in>', 'any video that ffmpeg reads')
      .argument('<out>', 'the masked copy, .mp4: H.264 of 8 bits, without sound')
      .option('--style <style>', 'solid or pixelate', 'solid')
      .option('--report <file>', 'JSON: size, fps, tracks with a box for each frame')
      .option(
        '--keep <file>',
        'JSON: { "mode": "people-and-motion", "keepVisible": [{ "trackId": 3 }], "drawn": [] }; track numbers are those of --report',
      )
      .option(
        '--zones <file>',
        'JSON: [{ "name": "window", "x": 0, "y": 0, "w": 0.2, "h": 0.3 }]; always masked, in shares of the picture',
      )
      .option('--vehicles', 'mask vehicles too (number plates)')
      .option('--label', 'burn in "REDACTED COPY" and the time since the first frame along the upper edge')
      .option('--case <number>', 'burnt in too; implies --label')
      .option('--camera <name>', 'burnt in too; implies --label')
      .option(
        '--start <instant>',
        'when the first frame was made, with its zone: burnt in as local time; implies --label',
      )
      .option('--force', 'replace <out> if it is there'),
    async ({ args: [input = '', output = ''], options, signal }) => {
      if (!['solid', 'pixelate'].includes(options.style))
        throw new GatewayError('usage', `There is no style "${options.style}".`, { remedy: 'Use solid or pixelate.' });
      const from = resolve(input);
      const to = resolve(output);
      if (!existsSync(from))
        throw new GatewayError('not-found', `There is no file ${from}.`, { remedy: 'Check the path.' });
      const init = initOf(from);
      if (init !== null && !existsSync(init))
        throw new GatewayError('not-found', `${from} is a fragment, and there is no ${init}.`, {
          remedy: 'Put its initialisation segment beside it under this name.',
        });
      if (from === to)
        throw new GatewayError('usage', 'Input and output are the same file.', {
          remedy: 'Name another output: an original is never overwritten.',
        });
      if (existsSync(to) && options.force !== true)
        throw new GatewayError('conflict', `${to} is there already.`, {
          remedy: 'Name another output, or add --force.',
        });
      if (options.report !== undefined && !existsSync(dirname(resolve(options.report)))) {
        throw new GatewayError('not-found', `There is no folder for ${options.report}.`, { remedy: 'Make it first.' });
      }
      const decisions =
        options.keep === undefined ? maskEveryone : readJson(options.keep, decisionsForm, 'the decisions');
      const zones = options.zones === undefined ? [] : readJson(options.zones, zonesForm, 'the zones');
      const site = siteOf(options);
      const settings = site === null ? defaultRedaction : redactionOf(site);
      const label = labelFrom(options, site?.site.timezone ?? 'Europe/Copenhagen');
      const bar = progressBar(basename(from));
      try {
        const redactWhole = (whole: string) =>
          redactFile({
            input: whole,
            output: to,
            replace: options.force === true,
            decisions,
            zones,
            label,
            settings: {
              ...settings,
              style: options.style,
              vehicles: options.vehicles ?? settings.vehicles,
            },
            run: {
              signal,
              onProgress: ({ framesDone, framesTotal }) => {
                bar.update(framesDone, framesTotal);
              },
            },
          });
        const done =
          init === null ? await redactWhole(from) : await withJoined([init, from], dirname(to), redactWhole, signal);
        if (options.report !== undefined)
          await writeDurably(resolve(options.report), JSON.stringify(reportOf(done.analysis)));
        if (site !== null) {
          try {
            await noteInLog(site, from, to, done.frames);
          } catch (error) {
            // No act without its event: a copy that the log does not know is not left behind.
            await rm(to, { force: true });
            throw error;
          }
        }
        const { frames, seconds, analysis, overlaps } = done;
        const json = {
          frames,
          seconds,
          tracks: analysis.tracks.length,
          fps: analysis.fps,
          detector: analysis.detector.name,
          uncertain: analysis.tracks.reduce((sum, track) => sum + track.uncertain.length, 0),
          damaged: analysis.damaged,
          notes: analysis.notes,
          overlaps,
          sha256: await sha256File(to),
        };
        return {
          json,
          text: [
            `${to}: ${frames} frames, ${analysis.tracks.length} tracks, in ${seconds.toFixed(1)} s`,
            ...[...analysis.notes, ...overlaps.map(overlapText)].map((line) => `  note: ${line}`),
          ].join('\n'),
        };
      } finally {
        bar.stop();
      }
    },
  );
}

/** None unless one is asked for: nothing of the picture is written over unasked. */
function labelFrom(options: RedactOptions, timeZone: string): CopyLabel | undefined {
  const { case: caseNumber, camera, start } = options;
  if (options.label === undefined && caseNumber === undefined && camera === undefined && start === undefined)
    return undefined;
  const startUs = start === undefined ? undefined : parseInstant(start);
  return { case: caseNumber, camera, startUs, timeZone };
}

/** A masked copy is logged in the site that was named with --config; without one this is a tool for any file, and says so. */
function siteOf(options: RedactOptions): ReturnType<typeof loadConfig> | null {
  const named = parseArgs({ args: process.argv.slice(2), strict: false, options: { config: { type: 'string' } } })
    .values.config;
  if (named !== undefined) return loadConfig(options.config);
  process.stderr.write('Not entered in any audit log: no --config was given.\n');
  return null;
}

async function noteInLog(
  config: ReturnType<typeof loadConfig>,
  from: string,
  to: string,
  frames: number,
): Promise<void> {
  const gateway = await openGateway(config);
  try {
    const [source, copy] = [await sha256File(from), await sha256File(to)];
    const subject = createHash('sha256').update(source).digest('hex').slice(0, 16);
    gateway.store.act('operator', (note) => {
      note('redaction.rendered', `file:${subject}`, { sourceSha256: source, copySha256: copy, frames });
    });
  } finally {
    gateway.close();
  }
}
