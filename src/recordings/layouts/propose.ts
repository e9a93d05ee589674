/**
 * Which layout a root has, as a proposal with its reasons. It is for a person to read and write into the configuration: the
 * gateway never takes one by itself, since a wrong one gives footage to the wrong camera, or the wrong hour to all of it.
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { formatUtc, localToUs, usPerSecond, utcToUs, type Micros } from '../../domain/time.js';
import { earliestUs, latestOf } from '../start-time.js';
import { layoutFromConfig, layoutNames, type LayoutConfig } from './index.js';
import { readStem, type LayoutMatch } from './layout.js';
import { sampleNames, type Sample } from './sample.js';
import { commonTemplate } from './shape.js';

export interface LayoutCandidate {
  readonly name: string;
  /** Sampled recordings that it reads, with a time that can be. */
  readonly matched: number;
  /** Of the right form, but with a date or number that cannot be. */
  readonly misnamed: number;
  readonly cameras: number;
  readonly example: { readonly path: string; readonly camera: string; readonly start: string } | null;
}

export interface LayoutProposal {
  /** What to write for `layout:`, or null where nothing fits well enough or two fit equally well. */
  readonly layout: LayoutConfig | null;
  /** The same as a line of the configuration. */
  readonly line: string | null;
  /** Sentences for a person: why this one, what speaks against it, what to look at. */
  readonly why: readonly string[];
  /** Best first; those that read nothing are left out. */
  readonly candidates: readonly LayoutCandidate[];
  readonly recordings: number;
  /** Recordings that the proposal does not read. */
  readonly unread: number;
  readonly sample: Pick<Sample, 'folders' | 'complete' | 'unreadable'> & { readonly files: number };
}

type Named = string | { readonly template: string };

interface Judged extends LayoutCandidate {
  readonly config: Named;
  readonly matches: ReadonlyMap<string, LayoutMatch>;
}

/** Below this share of the recordings a layout is not proposed. */
const leastShare = 0.5;
/** A second layout is added to the first where it reads at least this share, and nothing that the first one reads. */
const leastAddition = 0.02;
const dayUs = 86_400 * usPerSecond;

/** Looks at a bounded number of names below `rootPath`. Never throws for what lies there; an unreadable root is said. */
export function proposeLayout(rootPath: string, context: Context): LayoutProposal {
  const sample = sampleNames(rootPath);
  const recordings = sample.files.filter(isRecording);
  const judged = layoutNames()
    .map((name) => judge(name, recordings, context))
    .filter(({ matched, misnamed }) => matched + misnamed > 0)
    .sort((a, b) => b.matched - a.matched || a.misnamed - b.misnamed || a.name.localeCompare(b.name));
  const { folders, complete, unreadable } = sample;
  const facts = {
    candidates: judged.map(({ name, matched, misnamed, cameras, example }) => ({
      ...{ name, matched, misnamed, cameras, example },
    })),
    recordings: recordings.length,
    sample: { folders, complete, unreadable, files: sample.files.length },
  };
  const seen = `Looked at ${sample.files.length} files in ${folders} folders${complete ? '' : ', not all there are'}: ${recordings.length} of them are recordings.`;
  const choice =
    recordings.length === 0
      ? { chosen: [], why: unreadable.map((folder) => `"${shown(folder)}" could not be read.`) }
      : choose(judged, recordings, context);
  const [best] = choice.chosen;
  if (best === undefined) {
    const help = 'Write a template for them: layout: { template: "%path/%Y-%m-%d_%H-%M-%S", timezone: UTC }.';
    return { ...facts, layout: null, line: null, why: [seen, ...choice.why, help], unread: recordings.length };
  }
  const clock = whichClock(rootPath, best, context.siteTimezone);
  const configs = choice.chosen.map((one) => (one === best && clock.isUtc ? inUtc(one.config) : one.config));
  const [only] = configs;
  const rest = recordings.filter((path) => !choice.chosen.some(({ matches }) => matches.has(path)));
  const runnerUp = judged.find((other) => !choice.chosen.includes(other));
  return {
    ...facts,
    layout: configs.length === 1 && only !== undefined ? only : configs,
    line: lineOf(configs),
    why: [
      seen,
      ...choice.why,
      ...clock.why,
      runnerUp === undefined ? 'No other layout reads any of them.' : `Next best: ${tell(runnerUp)}`,
      ...(rest.length === 0 ? [] : [`${rest.length} would lie in quarantine, such as ${shown(...rest.slice(0, 3))}.`]),
    ],
    unread: rest.length,
  };
}

interface Context {
  readonly siteTimezone: string;
  readonly nowUs: Micros;
}

/** The layout that reads most, with one for the rest where there is one; else a template; else none. With the reasons. */
function choose(
  judged: readonly Judged[],
  recordings: readonly string[],
  context: Context,
): { readonly chosen: readonly Judged[]; readonly why: readonly string[] } {
  const half = leastShare * recordings.length;
  const [best] = judged;
  const also = best && judged.slice(1).find((other) => adds(best, other, recordings.length));
  if (best === undefined || best.matched + (also?.matched ?? 0) < half) {
    const unread = `No layout reads half of them, such as ${shown(...recordings.slice(0, 3))}.`;
    const template = commonTemplate(recordings);
    const made = template === null ? null : judge({ template }, recordings, context);
    if (made === null || made.matched < half || isUnlikely(made)) {
      return { chosen: [], why: [unread, ...judged.slice(0, 2).map(tell)] };
    }
    const care = 'It was made from the names: look whether it takes the right part for the camera.';
    return { chosen: [made], why: [unread, tell(made), care] };
  }
  if (isUnlikely(best)) {
    return { chosen: [], why: [tell(best), `But ${best.cameras} cameras for ${best.matched} files are not likely.`] };
  }
  const equal = judged.find((other) => other !== best && other !== also && other.matched === best.matched);
  if (equal !== undefined) {
    return { chosen: [], why: [tell(best), tell(equal), 'Both fit equally well; name the one that it is.'] };
  }
  const chosen = also === undefined ? [best] : [best, also];
  return { chosen, why: chosen.map(tell) };
}

/** A number that counts events taken for the camera, for one. */
const isUnlikely = ({ matched, cameras }: Judged): boolean => matched >= 10 && cameras > matched / 2;

function isRecording(path: string): boolean {
  const file = readStem(path);
  return !('kind' in file) || file.reason === 'unfinished';
}

function judge(config: Named, paths: readonly string[], context: Context): Judged {
  const layout = layoutFromConfig(config, context);
  const matches = new Map<string, LayoutMatch>();
  let misnamed = 0;
  for (const path of paths) {
    const result = layout.decode(path);
    if (result.kind === 'miss') misnamed += result.reason === 'misnamed' ? 1 : 0;
    else if (latestOf(result.start) < earliestUs || latestOf(result.start) > context.nowUs + 2 * dayUs) misnamed += 1;
    else matches.set(path, result);
  }
  const [first] = matches;
  const example =
    first === undefined ? null : { path: first[0], camera: first[1].camera, start: startText(first[1].start) };
  const cameras = new Set([...matches.values()].map(({ camera }) => camera)).size;
  return { config, name: layout.name, matched: matches.size, misnamed, cameras, example, matches };
}

/** Names come from elsewhere: nothing in them may move a terminal's cursor or begin a line of its own. */
const shown = (...names: readonly string[]): string => names.join(', ').replace(/\p{C}/gu, '?');

const startText = (start: LayoutMatch['start']): string =>
  start.kind === 'date' ? `some time before ${formatUtc(latestOf(start))}` : formatUtc(latestOf(start));

function tell({ name, matched, misnamed, cameras, example }: LayoutCandidate): string {
  const wrong = misnamed === 0 ? '' : ` (${misnamed} more with a time that cannot be)`;
  const like =
    example === null ? '' : `, such as ${shown(example.path)}: camera "${shown(example.camera)}", ${example.start}`;
  return `${name} reads ${matched} of ${cameras} camera${cameras === 1 ? '' : 's'}${wrong}${like}.`;
}

const adds = (best: Judged, other: Judged, all: number): boolean =>
  other.matched >= Math.max(1, leastAddition * all) &&
  [...other.matches.keys()].every((path) => !best.matches.has(path));

/** Files whose last write is compared with what their names say. */
const comparedAtMost = 100;
/** A segment of an hour, and some for a slow recorder. */
const longestSegmentUs = 1.1 * 3600 * usPerSecond;

/** Whether local names are really in UTC, as of a recorder in a container: the last writes tell, unless they are a copy's. */
function whichClock(rootPath: string, best: Judged, timeZone: string): { isUtc: boolean; why: string[] } {
  let [local, utc, compared] = [0, 0, 0];
  for (const [path, { start }] of best.matches) {
    if (compared >= comparedAtMost) break;
    if (start.kind !== 'local') continue;
    const reading = localToUs(start.fields, timeZone);
    if (reading.kind !== 'exact') continue;
    const mtimeUs = lastWriteUs(join(rootPath, path));
    if (mtimeUs === null) continue;
    compared += 1;
    const fits = (startUs: Micros): number => {
      const lagUs = mtimeUs - startUs;
      return lagUs >= -usPerSecond && lagUs <= longestSegmentUs ? 1 : 0;
    };
    local += fits(reading.us);
    utc += fits(utcToUs(start.fields));
  }
  if (compared === 0 || timeZone === 'UTC') return { isUtc: false, why: [] };
  const counts = `of ${compared} last writes ${local} fit names in the time of ${timeZone}, ${utc} names in UTC`;
  if (utc > 0.8 * compared && local < 0.2 * compared) {
    return { isUtc: true, why: [`Its names are usually local time, but ${counts}.`] };
  }
  const sure = local > 0.8 * compared && utc < 0.2 * compared;
  return {
    isUtc: false,
    why: [
      `Its names are local time: ${counts}${sure ? '' : '. That does not tell: compare a name with a clock in its picture'}.`,
    ],
  };
}

function lastWriteUs(path: string): Micros | null {
  try {
    return Number(lstatSync(path, { bigint: true }).mtimeNs / 1000n);
  } catch {
    // Deleted since, or unreadable: one witness less.
    return null;
  }
}

type Chosen = string | { name: string; timezone: string } | { template: string; timezone?: string };

const inUtc = (config: Named): Chosen =>
  typeof config === 'string' ? { name: config, timezone: 'UTC' } : { ...config, timezone: 'UTC' };

function lineOf(configs: readonly Chosen[]): string {
  const parts = configs.map((one) => {
    if (typeof one === 'string') return one;
    const what = 'name' in one ? `name: ${one.name}` : `template: ${JSON.stringify(one.template)}`;
    return `{ ${what}${one.timezone === undefined ? '' : `, timezone: ${one.timezone}`} }`;
  });
  return `layout: ${parts.length === 1 ? (parts[0] ?? '') : `[${parts.join(', ')}]`}`;
}
