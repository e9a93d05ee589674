/** Looking up footage at the command line, as on the page: a user with a password, and a purpose for each picture. */
import type { Command } from 'commander';
import { join } from 'node:path';
import { purposeCode, purposes } from '../api/views.js';
import { searchFootage } from '../disclosure/search.js';
import { assertRight } from '../domain/user.js';
import { formatLocal, parseLocalOrInstant } from '../domain/time.js';
import { GatewayError } from '../errors.js';
import { contactSheetOf, maxPictures } from '../recordings/pictures/contact-sheet.js';
import type { Look } from '../recordings/pictures/context.js';
import { maxStillWidth, stillAt } from '../recordings/pictures/still.js';
import type { Gateway } from '../app.js';
import { define, table, withGateway } from './command.js';
import { identify, withIdentity, type IdentityOptions } from './identity.js';

interface RangeOptions {
  readonly from: string;
  readonly to: string;
}

export function footage(program: Command): void {
  const group = program
    .command('footage')
    .description('what there is of a camera, and pictures of it (role security or legal)');
  find(group);
  still(group);
  contactSheet(group);
}

const wholeFrom = (text: string, name: string, min: number, max: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new GatewayError('usage', `${name} ${text}?`, { remedy: `Give a whole number from ${min} to ${max}.` });
};

const rangeOf = (gateway: Gateway, { from, to }: RangeOptions): { startUs: number; endUs: number } => {
  const { timezone } = gateway.config.site;
  const range = { startUs: parseLocalOrInstant(from, timezone), endUs: parseLocalOrInstant(to, timezone) };
  if (range.startUs < range.endUs) return range;
  throw new GatewayError('usage', 'The end must be after the start.', { remedy: 'Correct --from or --to.' });
};

function find(group: Command): void {
  define<IdentityOptions & RangeOptions & { cameras: string }>(
    withIdentity(
      group
        .command('find')
        .description('what is there of a range, gaps, copies and sub-streams; the search is logged')
        .requiredOption('--cameras <ids>', 'with commas between')
        .requiredOption('--from <time>', 'instant (…Z or with offset), or local time of the site')
        .requiredOption('--to <time>', 'as --from; the end itself is not included'),
    ),
    ({ options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const who = await identify(gateway, options);
        assertRight(who, 'footage.read');
        const ids = options.cameras.split(',').map((id) => id.trim());
        const coverage = searchFootage(gateway.disclosure, `user:${who.id}`, ids, rangeOf(gateway, options));
        const local = (us: number): string => formatLocal(us, gateway.config.site.timezone);
        const text = coverage.cameras.map((camera) => {
          const parts = new Map(camera.segments.map((segment) => [segment.part ?? segment.state, 0]));
          for (const { part, state } of camera.segments) parts.set(part ?? state, (parts.get(part ?? state) ?? 0) + 1);
          const counts = [...parts].map(([part, number]) => `${number} ${part}`).join(', ');
          return [
            `${camera.cameraId} (${camera.streams.join(', ')}): ${counts === '' ? 'no recordings' : counts}`,
            table(
              ['', 'from', 'to'],
              [
                ...camera.covered.map((one) => ['  covered', local(one.startUs), local(one.endUs)]),
                ...camera.gaps.map((one) => ['  gap', local(one.startUs), local(one.endUs)]),
                ...camera.breaks.map(({ kind, lost, fromUs, untilUs }) => [
                  kind === 'new-stream' ? '  recorder connected anew' : `  ${lost} segments of the recorder lost`,
                  local(fromUs),
                  local(untilUs),
                ]),
              ],
            ),
          ].join('\n');
        });
        return { json: coverage, text: text.join('\n') };
      }),
  );
}

/** The purpose is asked for as on the page; what is said in own words stays out of the log. */
const purposeHelp = `why you look: ${purposes.join(', ')}, or words of your own`;

async function lookOf(
  gateway: Gateway,
  options: IdentityOptions & { purpose: string },
  signal: AbortSignal,
): Promise<Look> {
  const who = await identify(gateway, options);
  assertRight(who, 'footage.read');
  if (options.purpose.trim().length < 3) {
    throw new GatewayError('usage', 'The purpose is missing.', { remedy: 'Say why you look at this footage.' });
  }
  return { actor: `user:${who.id}`, purpose: purposeCode(options.purpose.trim()), signal };
}

/** Where it lies: in the gateway's own folder, from where it goes by itself. A copy elsewhere would outlive its footage. */
const said = (gateway: Gateway, path: string): string =>
  `${join(gateway.config.data, path)}\nRemoved after ${gateway.config.stills.keepHours} hours, or with its footage.`;

function still(group: Command): void {
  define<IdentityOptions & { camera: string; at: string; purpose: string; width: string }>(
    withIdentity(
      group
        .command('still')
        .description('one picture, unmasked; the look is logged')
        .requiredOption('--camera <id>')
        .requiredOption('--at <time>', 'instant (…Z or with offset), or local time of the site')
        .requiredOption('--purpose <purpose>', purposeHelp)
        .option('--width <pixels>', 'at most', '1920'),
    ),
    ({ options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const look = await lookOf(gateway, options, signal);
        const atUs = parseLocalOrInstant(options.at, gateway.config.site.timezone);
        const maxWidth = wholeFrom(options.width, '--width', 160, maxStillWidth);
        const { path, segmentId } = await stillAt(gateway.pictures, look, { cameraId: options.camera, atUs, maxWidth });
        return { json: { path: join(gateway.config.data, path), segmentId, atUs }, text: said(gateway, path) };
      }),
  );
}

function contactSheet(group: Command): void {
  define<IdentityOptions & RangeOptions & { camera: string; purpose: string; count: string }>(
    withIdentity(
      group
        .command('contact-sheet')
        .description('small pictures over a range with their local times, unmasked; the look is logged')
        .requiredOption('--camera <id>')
        .requiredOption('--from <time>', 'instant (…Z or with offset), or local time of the site')
        .requiredOption('--to <time>', 'as --from')
        .requiredOption('--purpose <purpose>', purposeHelp)
        .option('--count <number>', `how many, at most ${maxPictures}`, '12'),
    ),
    ({ options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const look = await lookOf(gateway, options, signal);
        const count = wholeFrom(options.count, '--count', 1, maxPictures);
        const ask = { cameraId: options.camera, range: rangeOf(gateway, options), count };
        const { path, timesUs } = await contactSheetOf(gateway.pictures, look, ask);
        return { json: { path: join(gateway.config.data, path), timesUs }, text: said(gateway, path) };
      }),
  );
}
