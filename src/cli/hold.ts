import type { Command } from 'commander';
import { placeHold, type GonePart } from '../disclosure/hold.js';
import { approveHold, lift, prolongHold, refuseHold } from '../disclosure/hold-acts.js';
import { setGround } from '../disclosure/hold-grounds.js';
import { noteNotice } from '../disclosure/hold-notice.js';
import {
  enabledGrounds,
  holdIsActive,
  isFreeze,
  isProvisional,
  type EnabledGround,
  type Hold,
} from '../domain/hold.js';
import { noticeIsOverdue } from '../domain/hold-end.js';
import { factFields, type HoldFacts } from '../domain/hold-facts.js';
import { dayUs } from '../domain/retention-rules/index.js';
import { formatLocal, parseLocalOrInstant } from '../domain/time.js';
import type { User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import type { Gateway } from '../app.js';
import { listHolds, listHoldSteps } from '../store/holds.js';
import { count, define, table, withGateway, type CommonOptions, type Result, type Work } from './command.js';
import { protectNow } from './vault-keeper.js';
import { identify, withIdentity, type IdentityOptions } from './identity.js';

const list = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** A whole number of days from now; what is out of bounds is refused where the law is known. */
function daysFromNow(gateway: Gateway, text: string): number {
  if (!/^\d{1,4}$/.test(text)) {
    throw new GatewayError('usage', `"${text}" is no number of days.`, { remedy: 'Give a whole number up to 90.' });
  }
  return gateway.store.clock.nowUs() + Number(text) * dayUs;
}

/** An act of a known person on one hold. */
const asPerson =
  <O extends IdentityOptions>(work: (gateway: Gateway, who: User, id: string, options: O) => Result): Work<O> =>
  ({ args: [id = ''], options, signal }) =>
    withGateway(options, signal, async (gateway) => work(gateway, await identify(gateway, options), id, options));

interface PlaceOptions extends IdentityOptions {
  readonly ground: string;
  readonly journalNumber?: string;
  readonly reportedOn?: string;
  readonly counterparty?: string;
  readonly description?: string;
  readonly caseNumber?: string;
  readonly receivedOn?: string;
  readonly provision?: string;
  readonly reason: string;
  readonly wideReason?: string;
  readonly cameras: string;
  readonly from: string;
  readonly to: string;
  readonly reviewDays: string;
}

/** As typed; the domain says what is missing. */
const factsOf = ({ ground, ...more }: PlaceOptions): HoldFacts => ({ ground, ...more }) as unknown as HoldFacts;

export function hold(program: Command): void {
  const group = program.command('hold').description('longer storage on a ground that the law allows');

  define<PlaceOptions>(
    withIdentity(
      group
        .command('place')
        .description('hold footage at once; what security places, legal approves within 72 hours')
        .requiredOption('--ground <ground>', Object.keys(factFields).join(', '))
        .option('--journal-number <text>', 'reported-offence: of the police')
        .option('--reported-on <day>', 'reported-offence: day of the report, like 2026-05-31')
        .option('--counterparty <text>', 'dispute: the other party')
        .option('--description <text>', 'dispute: what it is about')
        .option('--case-number <text>', 'access-request, complaint: its number')
        .option('--received-on <day>', 'access-request, complaint: when it was received')
        .option('--provision <text>', 'legal-duty: the provision that demands it')
        .requiredOption('--reason <text>', 'why this footage')
        .option('--wide-reason <text>', 'confirms more than 60 minutes or 3 cameras, and says why')
        .requiredOption('--cameras <ids>', 'with commas between')
        .requiredOption('--from <time>', 'instant, or local time of the site')
        .requiredOption('--to <time>', 'instant, or local time of the site')
        .option('--review-days <days>', 'when it ends unless it is prolonged, at most 90', '90'),
    ),
    ({ options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const who = await identify(gateway, options);
        const { timezone } = gateway.config.site;
        const placed = placeHold(gateway.disclosure, who, {
          facts: factsOf(options),
          reason: options.reason,
          wideReason: options.wideReason ?? null,
          cameraIds: list(options.cameras),
          startUs: parseLocalOrInstant(options.from, timezone),
          endUs: parseLocalOrInstant(options.to, timezone),
          reviewUs: daysFromNow(gateway, options.reviewDays),
        });
        const local = (us: number): string => formatLocal(us, timezone);
        const lost = (one: GonePart): string =>
          `Not held: ${one.cameraId} ${local(one.startUs)} to ${local(one.endUs)} (${one.what}, ${count(one.segments, 'segment')})`;
        const vault = await protectNow(gateway, signal);
        return {
          json: { ...placed, vault: vault.json },
          text: [
            `Hold ${placed.hold.id} is in force on ${count(placed.segments, 'segment')}, until ${local(placed.hold.reviewUs)}.`,
            `It keeps whole files: ${local(placed.keeps.startUs)} to ${local(placed.keeps.endUs)}.`,
            ...placed.gone.map(lost),
            ...placed.warnings,
            ...vault.lines,
          ].join('\n'),
        };
      }),
  );

  define<IdentityOptions & { reviewDays?: string }>(
    withIdentity(
      group
        .command('approve')
        .description('approve what security holds (role legal, another person)')
        .argument('<id>')
        .option('--review-days <days>', 'another end than was asked for, at most 90 days from now'),
    ),
    asPerson((gateway, who, id, { reviewDays }) => {
      const reviewUs = reviewDays === undefined ? null : daysFromNow(gateway, reviewDays);
      const approved = approveHold(gateway.disclosure, who, id, { reviewUs });
      const until = formatLocal(approved.reviewUs, gateway.config.site.timezone);
      return { json: { hold: approved }, text: `Hold ${id} is approved and runs until ${until}.` };
    }),
  );

  define<IdentityOptions & { reason: string }>(
    withIdentity(
      group
        .command('refuse')
        .description('refuse what security holds (role legal, another person)')
        .argument('<id>')
        .requiredOption('--reason <text>', 'why'),
    ),
    asPerson((gateway, who, id, { reason }) => ({
      json: { hold: refuseHold(gateway.disclosure, who, id, { reason }) },
      text: `Hold ${id} is refused. What is due goes at the next sweep.`,
    })),
  );

  define<IdentityOptions & { reason: string; reviewDays: string }>(
    withIdentity(
      group
        .command('prolong')
        .description('a later end (role legal)')
        .argument('<id>')
        .requiredOption('--reason <text>', 'why it is still needed')
        .requiredOption('--review-days <days>', 'from now, at most 90'),
    ),
    asPerson((gateway, who, id, { reason, reviewDays }) => {
      const prolonged = prolongHold(gateway.disclosure, who, id, {
        reason,
        reviewUs: daysFromNow(gateway, reviewDays),
      });
      const until = formatLocal(prolonged.reviewUs, gateway.config.site.timezone);
      return { json: { hold: prolonged }, text: `Hold ${id} runs until ${until}.` };
    }),
  );

  define<IdentityOptions & { reason: string; answeredOn?: string; appealEndedOn?: string }>(
    withIdentity(
      group
        .command('lift')
        .description('end a hold (role legal)')
        .argument('<id>')
        .requiredOption('--reason <text>', 'why it is not needed any more')
        .option('--answered-on <day>', 'access-request, complaint: when it was answered')
        .option('--appeal-ended-on <day>', 'access-request, complaint: when the time to appeal was over'),
    ),
    asPerson((gateway, who, id, { reason, answeredOn = null, appealEndedOn = null }) => ({
      json: { hold: lift(gateway.disclosure, who, id, { reason, answeredOn, appealEndedOn }) },
      text: `Hold ${id} is lifted. What is due goes at the next sweep.`,
    })),
  );

  define<IdentityOptions & { at: string; how: string; document: string; copyRequested?: true; copyHanded?: true }>(
    withIdentity(
      group
        .command('notified')
        .description('the other party of a dispute was told that footage is kept (role security or legal)')
        .argument('<id>')
        .requiredOption('--at <time>', 'when: instant, or local time of the site')
        .requiredOption('--how <text>', 'by letter, by e-mail, in person')
        .requiredOption('--document <text>', 'which document shows it')
        .option('--copy-requested', 'instead: the other party asks for a copy')
        .option('--copy-handed', 'instead: the copy was handed over'),
    ),
    asPerson((gateway, who, id, { at, how, document, copyRequested, copyHanded }) => {
      if (copyRequested === true && copyHanded === true) {
        throw new GatewayError('usage', 'Enter one thing after the other.', {
          remedy: 'First --copy-requested, then --copy-handed.',
        });
      }
      const kind = copyRequested === true ? 'copy-requested' : copyHanded === true ? 'copy-handed' : 'notified';
      const atUs = parseLocalOrInstant(at, gateway.config.site.timezone);
      const noted = noteNotice(gateway.disclosure, who, id, { kind, atUs, how, document });
      return { json: { hold: noted }, text: `Entered: ${kind} of hold ${id}.` };
    }),
  );

  const grounds = group.command('ground').description('grounds of § 4 c(5) for municipal cameras (role legal)');
  for (const enabled of [true, false]) {
    define<IdentityOptions & { reason: string }>(
      withIdentity(
        grounds
          .command(enabled ? 'enable' : 'disable')
          .description(enabled ? 'allow holds on a ground' : 'allow no more of them; those that are there stay')
          .argument('<ground>', enabledGrounds.join(', '))
          .requiredOption('--reason <text>', 'why'),
      ),
      asPerson((gateway, who, ground, { reason }) => {
        if (!enabledGrounds.some((one) => one === ground)) {
          throw new GatewayError('usage', `"${ground}" is no ground that is enabled or disabled.`, {
            remedy: `Name one of: ${enabledGrounds.join(', ')}.`,
          });
        }
        const rows = setGround(gateway.disclosure, who, { ground: ground as EnabledGround, enabled, reason });
        const text = rows.length === 0 ? 'none' : rows.map((row) => row.ground).join(', ');
        return { json: { enabled: rows }, text: `Enabled for municipal cameras: ${text}.` };
      }),
    );
  }

  define<CommonOptions>(group.command('list').description('all holds'), ({ options, signal }) =>
    withGateway(options, signal, (gateway) => {
      const { db, clock } = gateway.store;
      const nowUs = clock.nowUs();
      const steps = listHoldSteps(db);
      const holds = listHolds(db).map((one) => ({
        ...one,
        active: holdIsActive(one, nowUs),
        noticeOverdue: noticeIsOverdue(one, nowUs),
        steps: steps.filter(({ holdId }) => holdId === one.id),
      }));
      const local = (us: number): string => formatLocal(us, gateway.config.site.timezone);
      const rows = holds.map((one) => [
        one.id,
        one.ground,
        one.reference,
        one.cameraIds.join(','),
        local(one.startUs),
        local(one.endUs),
        stateOf(one, nowUs, local),
      ]);
      return Promise.resolve({
        json: { holds },
        text: table(['id', 'ground', 'reference', 'cameras', 'from', 'to', 'state'], rows),
      });
    }),
  );
}

function stateOf(one: Hold, nowUs: number, local: (us: number) => string): string {
  if (one.liftedUs !== null) return `${one.outcome ?? 'lifted'} ${local(one.liftedUs)}`;
  if (!holdIsActive(one, nowUs)) return `ran out ${local(one.reviewUs)}`;
  const until = isFreeze(one) ? `frozen, to be looked at ${local(one.reviewUs)}` : `until ${local(one.reviewUs)}`;
  return [
    until,
    ...(isProvisional(one) ? [`waits for legal until ${local(one.approveByUs ?? nowUs)}`] : []),
    ...(noticeIsOverdue(one, nowUs) ? ['OTHER PARTY NOT TOLD'] : []),
  ].join('; ');
}
