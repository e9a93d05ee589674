import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { closeRequest } from '../disclosure/close.js';
import { coverageOf } from '../disclosure/coverage.js';
import { decideRequest } from '../disclosure/decide.js';
import { setMasks } from '../disclosure/masks.js';
import { packageRequest } from '../disclosure/package.js';
import { prepareRequest } from '../disclosure/prepare.js';
import { createRequest } from '../disclosure/request.js';
import { reviewRequest } from '../disclosure/review.js';
import type { RecipientKind } from '../domain/camera.js';
import type { DisclosureGround } from '../domain/disclosure.js';
import { modeOf } from '../domain/mask-decisions.js';
import type { Overlap } from '../domain/mask-overlaps.js';
import { formatLocal, parseLocalOrInstant } from '../domain/time.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { eventsOf } from '../store/audit-log.js';
import { decisionsForm } from '../redaction/forms.js';
import { getRequest, itemsOf, listRequests, type RequestRow } from '../store/requests.js';
import { define, progressBar, table, withGateway, type CommonOptions } from './command.js';
import { protectNow } from './vault-keeper.js';
import { identify, withIdentity, type IdentityOptions } from './identity.js';

const list = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

interface CreateOptions extends IdentityOptions {
  readonly ground: DisclosureGround;
  readonly basis?: string;
  readonly recipientKind: RecipientKind;
  readonly recipient: string;
  readonly contact: string;
  readonly journal: string;
  readonly purpose: string;
  readonly cameras: string;
  readonly from: string;
  readonly to: string;
}

export function request(program: Command): void {
  const group = program.command('request').description('disclosure of footage, from request to package');
  create(group);
  show(group);
  prepare(group);
  masks(group);
  review(group);
  decide(group);
  pack(group);
  close(group);
}

function create(group: Command): void {
  define<CreateOptions>(
    withIdentity(
      group
        .command('create')
        .description('ask for footage (role security); a hold is placed on it at once')
        .requiredOption('--ground <ground>', 'police, consent or law (CCTV Act § 4 c(1))')
        .option('--basis <text>', 'for consent or law: who consented, or the provision')
        .option('--recipient-kind <kind>', 'police, authority or person', 'police')
        .requiredOption('--recipient <name>', 'station, authority or person')
        .requiredOption('--contact <text>', 'how they were reached and checked')
        .requiredOption('--journal <number>', 'journal or case number')
        .requiredOption('--purpose <text>', 'what it is for')
        .requiredOption('--cameras <ids>', 'with commas between')
        .requiredOption('--from <time>', 'instant (…Z or with offset), or local time of the site')
        .requiredOption('--to <time>', 'as --from; the end itself is not included'),
    ),
    ({ options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const who = await identify(gateway, options);
        const { timezone } = gateway.config.site;
        const created = createRequest(gateway.disclosure, who, {
          ground: options.ground,
          legalBasis: options.basis ?? null,
          recipient: { kind: options.recipientKind, name: options.recipient, contact: options.contact },
          journalNumber: options.journal,
          purpose: options.purpose,
          cameraIds: list(options.cameras),
          startUs: parseLocalOrInstant(options.from, timezone),
          endUs: parseLocalOrInstant(options.to, timezone),
        });
        const cameras = created.coverage.cameras.map(
          (camera) => `  ${camera.cameraId}: ${camera.segments.length} segments, ${camera.gaps.length} gaps`,
        );
        const vault = await protectNow(gateway, signal);
        return {
          json: { ...created, vault: vault.json },
          text: [
            `Request ${created.request.id} is made, and its footage is held.`,
            ...cameras,
            ...created.warnings.map((line) => `  note: ${line}`),
            ...vault.lines,
          ].join('\n'),
        };
      }),
  );
}

function show(group: Command): void {
  define<CommonOptions>(group.command('list').description('all requests'), ({ options, signal }) =>
    withGateway(options, signal, (gateway) => {
      const requests = listRequests(gateway.store.db);
      const local = (us: number): string => formatLocal(us, gateway.config.site.timezone);
      const rows = requests.map((one) => [
        one.id,
        one.state,
        one.journalNumber,
        one.cameraIds.join(','),
        local(one.startUs),
        local(one.endUs),
      ]);
      return Promise.resolve({
        json: { requests },
        text: table(['id', 'state', 'journal', 'cameras', 'from', 'to'], rows),
      });
    }),
  );
  define<CommonOptions>(
    group.command('show').description('one request: scope, coverage, items, who did what').argument('<id>'),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, (gateway) => {
        const { db } = gateway.store;
        const found = getRequest(db, id);
        const items = itemsOf(db, id);
        const coverage = coverageOf(gateway.disclosure, found.cameraIds, found);
        const events = eventsOf(db, `request:${id}`);
        const local = (us: number): string => formatLocal(us, gateway.config.site.timezone);
        const text = [
          `${found.id}  ${found.state}${found.failure === null ? '' : `: ${found.failure}`}`,
          `${found.ground}, ${found.recipient.name}, journal ${found.journalNumber}`,
          `${found.cameraIds.join(', ')} from ${local(found.startUs)} to ${local(found.endUs)}`,
          table(
            ['#', 'camera', 'from', 'to', 'tracks', 'uncertain', 'mask', 'kept', 'sound', 'sha256'],
            items.map((item) => [
              String(item.position),
              item.cameraId,
              local(item.startUs),
              local(item.endUs),
              String(item.summary.tracks),
              String(item.summary.uncertainSpans),
              modeOf(item.decisions),
              String(item.decisions.keepVisible.length),
              item.hasAudio ? 'yes' : 'no',
              item.sha256.slice(0, 16),
            ]),
          ),
          ...items.flatMap(({ position, summary }) =>
            (summary.overlaps ?? []).map((overlap) => `  item ${position}: ${overlapText(overlap)}`),
          ),
          ...events.map((event) => `  ${local(event.atUs)}  ${event.type}  ${event.actor}`),
        ].join('\n');
        return Promise.resolve({ json: { request: found, coverage, items, events }, text });
      }),
  );
}

const stateOf = (changed: RequestRow): { json: object; text: string } => ({
  json: { request: changed },
  text: `Request ${changed.id} is ${changed.state}${changed.failure === null ? '' : `: ${changed.failure}`}`,
});

function prepare(group: Command): void {
  define<IdentityOptions>(
    withIdentity(
      group
        .command('prepare')
        .description('copy and hash the originals, detect people, render the masked copies')
        .argument('<id>'),
    ),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const who = await identify(gateway, options);
        const bar = progressBar('frames');
        try {
          return stateOf(
            await prepareRequest(gateway.disclosure, `user:${who.id}`, id, {
              signal,
              onProgress: ({ framesDone, framesTotal }) => {
                bar.update(framesDone, framesTotal);
              },
            }),
          );
        } finally {
          bar.stop();
        }
      }),
  );
}

const masksForm = z.array(z.strictObject({ position: z.number().int().min(0), decisions: decisionsForm }));

/** JSON of the given form from a file, or `input-invalid` that says where it is wrong. */
export function readJson<T extends z.ZodType>(path: string, form: T, what: string): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new GatewayError('input-invalid', toGatewayError(error, `reading ${what} from ${path}`).message, {
      remedy: 'Give a file with JSON.',
      cause: error,
    });
  }
  const parsed = form.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new GatewayError('input-invalid', `${path}: ${z.prettifyError(parsed.error)}`, {
    remedy: `Correct ${what}; the README shows its form.`,
  });
}

/** Nobody should look for a person whom somebody else's mask covers, and think that a slip. */
export const overlapText = ({ keptId, otherId, fromFrame, toFrame, share }: Overlap): string =>
  `frames ${fromFrame} to ${toFrame - 1}: the mask of track ${otherId} covers up to ${Math.ceil(share * 100)} % of track ${keptId}, which is kept visible`;

function masks(group: Command): void {
  define<IdentityOptions & { decisions: string }>(
    withIdentity(
      group
        .command('masks')
        .description('decide who stays visible, or draw boxes (role legal); the copies are rendered again')
        .argument('<id>')
        .requiredOption(
          '--decisions <file>',
          'JSON: [{ "position": 0, "decisions": { "keepVisible": [{ "trackId": 3 }], "drawn": [] } }]; the README shows the form',
        ),
    ),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const changes = readJson(options.decisions, masksForm, 'the decisions');
        const who = await identify(gateway, options);
        const { request: changed, overlaps } = await setMasks(gateway.disclosure, who, id, changes, { signal });
        const { json, text } = stateOf(changed);
        const lines = overlaps.map((overlap) => `\n  item ${overlap.position}: ${overlapText(overlap)}`);
        return { json: { ...json, overlaps }, text: text + lines.join('') };
      }),
  );
}

function review(group: Command): void {
  define<IdentityOptions & { uncertainSeen?: true }>(
    withIdentity(
      group
        .command('review')
        .description('state that the masked copies were looked at (role legal, not the one who asked)')
        .argument('<id>')
        .option('--uncertain-seen', 'every uncertain span was looked at'),
    ),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) =>
        stateOf(
          reviewRequest(gateway.disclosure, await identify(gateway, options), id, {
            uncertainSeen: options.uncertainSeen === true,
          }),
        ),
      ),
  );
}

function decide(group: Command): void {
  define<
    IdentityOptions & { approve?: true; refuse?: true; reason: string; includeAudio?: string; redactedOnly?: string }
  >(
    withIdentity(
      group
        .command('decide')
        .description('approve or refuse (role legal, never the one who asked)')
        .argument('<id>')
        .option('--approve')
        .option('--refuse')
        .requiredOption('--reason <text>', 'the concrete assessment')
        .option('--include-audio <why>', 'originals with sound go along, and why')
        .option('--redacted-only <why>', 'the originals stay behind, and why'),
    ),
    ({ args: [id = ''], options, signal }) => {
      if ((options.approve === true) === (options.refuse === true)) {
        throw new GatewayError('usage', 'Say --approve or --refuse.', { remedy: 'Exactly one of them.' });
      }
      return withGateway(options, signal, async (gateway) => {
        const decision = {
          approve: options.approve === true,
          reason: options.reason,
          terms: { audioReason: options.includeAudio ?? null, redactedOnlyReason: options.redactedOnly ?? null },
        };
        return stateOf(decideRequest(gateway.disclosure, await identify(gateway, options), id, decision));
      });
    },
  );
}

function pack(group: Command): void {
  define<IdentityOptions>(
    withIdentity(
      group.command('package').description('make the evidence package, a folder and a ZIP').argument('<id>'),
    ),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const made = await packageRequest(gateway.disclosure, await identify(gateway, options), id, { signal });
        return { json: made, text: `${made.directory}\n${made.archive}\nManifest SHA-256 ${made.manifestSha256}` };
      }),
  );
}

function close(group: Command): void {
  define<IdentityOptions & { why: 'received' | 'withdrawn' }>(
    withIdentity(
      group
        .command('close')
        .description("received or withdrawn: the gateway's copies go and the hold ends")
        .argument('<id>')
        .requiredOption('--why <why>', 'received or withdrawn'),
    ),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        if (!['received', 'withdrawn'].includes(options.why))
          throw new GatewayError('usage', `--why ${options.why}?`, { remedy: 'Say received or withdrawn.' });
        const who = await identify(gateway, options);
        return stateOf(await closeRequest(gateway.disclosure, who, id, options.why));
      }),
  );
}
