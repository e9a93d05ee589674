import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Temporal } from 'temporal-polyfill';
import { stringify } from 'yaml';
import { makeRandom } from './canvas.js';
import { cutOff, stampCreation } from './mp4.js';
import type { PlaceName } from './places.js';
import { encodeScene, type SceneTruth } from './scene.js';

const timezone = 'Europe/Copenhagen';
const segmentS = 20;
const minuteUs = 60_000_000;
const hourUs = 60 * minuteUs;
const dayUs = 24 * hourUs;
/** 30 days less the default margin of 12 h: older than this is due. */
const dueAgeUs = 30 * dayUs - 12 * hourUs;

type RootId = 'frigate' | 'mediamtx';

interface SampleCamera {
  readonly id: string;
  readonly label: string;
  readonly root: RootId;
  readonly place: PlaceName;
  readonly seed: number;
  readonly audio: boolean;
}

const cameras: readonly SampleCamera[] = [
  { id: 'lobby', label: 'Lobby', root: 'frigate', place: 'lobby', seed: 1, audio: true },
  { id: 'yard', label: 'Yard', root: 'frigate', place: 'yard', seed: 1, audio: false },
  { id: 'parking', label: 'Car park', root: 'mediamtx', place: 'parking', seed: 1, audio: false },
  { id: 'reception', label: 'Reception', root: 'mediamtx', place: 'lobby', seed: 5, audio: true },
];

/** A segment that the gateway must find. Times in microseconds since 1970; ranges half-open. */
export interface SiteSegment {
  readonly camera: string;
  readonly root: RootId;
  /** Below the root. */
  readonly path: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly sizeBytes: number;
  readonly audio: boolean;
  /** What the retention rules must say of it at `nowUs`, when nothing is held. */
  readonly expect: 'keep' | 'due';
  /** The stretch of consecutive segments it belongs to. */
  readonly stretch: StretchName | undefined;
}

/** A file that is no good recording. `why` is what is wrong with it. */
export interface SiteBadFile {
  readonly root: RootId;
  readonly path: string;
  readonly why: 'empty' | 'garbage' | 'cut' | 'misnamed' | 'foreign' | 'unfinished' | 'companion';
  /** A companion never claimed to be a recording, so it is not reported as a bad one. */
  readonly expect: 'quarantined' | 'left alone';
}

export type StretchName = 'due' | 'gap' | 'yesterday' | 'today';

/** A time at which the cameras recorded without a pause, but for the segments named in `missing`. */
export interface SiteStretch {
  readonly name: StretchName;
  readonly cameras: readonly string[];
  readonly startUs: number;
  readonly endUs: number;
  readonly missing: readonly number[];
}

/** What was made, and what a gateway must make of it. Plain JSON. */
export interface Site {
  readonly folder: string;
  readonly configFile: string;
  readonly timezone: string;
  readonly nowUs: number;
  readonly cameras: readonly (SampleCamera & { readonly truth: SceneTruth })[];
  readonly stretches: readonly SiteStretch[];
  readonly segments: readonly SiteSegment[];
  readonly bad: readonly SiteBadFile[];
}

const digits = (value: number): string => String(value).padStart(2, '0');
const zoned = (us: number, zone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(us / 1000).toZonedDateTimeISO(zone);

/** Frigate names its files in UTC, MediaMTX in the local time of its process. */
function pathOf(camera: SampleCamera, startUs: number): string {
  const t = zoned(startUs, camera.root === 'frigate' ? 'UTC' : timezone);
  const day = `${t.year}-${digits(t.month)}-${digits(t.day)}`;
  if (camera.root === 'frigate') {
    return `${day}/${digits(t.hour)}/${camera.id}/${digits(t.minute)}.${digits(t.second)}.mp4`;
  }
  const fraction = String(t.millisecond * 1000 + t.microsecond).padStart(6, '0');
  return `${camera.id}/${day}_${digits(t.hour)}-${digits(t.minute)}-${digits(t.second)}-${fraction}.mp4`;
}

/**
 * The instant, or some hours earlier when the clocks go back then: a local name of the repeated hour could mean two
 * instants, and a gateway is right to refuse it.
 */
function unambiguous(us: number): number {
  const local = zoned(us, timezone).toPlainDateTime();
  const [earlier, later] = (['earlier', 'later'] as const).map(
    (disambiguation) => local.toZonedDateTime(timezone, { disambiguation }).epochMilliseconds,
  );
  return earlier === later ? us : unambiguous(us - hourUs);
}

/** When segments start: stretches without a pause, and two single ones a day for each camera. */
function plan(nowUs: number): {
  stretches: SiteStretch[];
  starts: (Pick<SiteSegment, 'startUs' | 'stretch'> & { camera: SampleCamera })[];
} {
  const minute = Math.floor(nowUs / minuteUs) * minuteUs;
  const everywhere = cameras.map((camera) => camera.id);
  const stretch = (
    name: StretchName,
    ageUs: number,
    count: number,
    ids: readonly string[],
    missing: number[] = [],
  ): SiteStretch => {
    const startUs = unambiguous(minute - ageUs);
    return { name, cameras: ids, startUs, endUs: startUs + count * segmentS * 1_000_000, missing };
  };
  const stretches = [
    stretch('due', 29 * dayUs + 18 * hourUs, 6, ['lobby', 'yard', 'parking']),
    stretch('gap', 3 * dayUs + hourUs, 6, ['yard'], [2, 3]),
    stretch('yesterday', 26 * hourUs, 6, everywhere),
    stretch('today', 2 * hourUs, 3, everywhere),
  ];
  const starts = stretches.flatMap((run) =>
    cameras
      .filter((camera) => run.cameras.includes(camera.id))
      .flatMap((camera) => {
        const count = Math.round((run.endUs - run.startUs) / 1_000_000 / segmentS);
        const indices = Array.from({ length: count }, (_, i) => i).filter((i) => !run.missing.includes(i));
        return indices.map((i) => ({ camera, startUs: run.startUs + i * segmentS * 1_000_000, stretch: run.name }));
      }),
  );
  // Never nearer than two hours to the limit, so that the expectation holds as long as a demo runs.
  const singles = cameras.flatMap((camera, nth) =>
    Array.from({ length: 31 }, (_, day) => day).flatMap((day) =>
      [7, 15].map((hour) => ({
        camera,
        startUs: unambiguous(minute - day * dayUs - hour * hourUs - nth * 7 * minuteUs),
        stretch: undefined,
      })),
    ),
  );
  return { stretches, starts: [...starts, ...singles] };
}

function cameraOf(id: string): SampleCamera {
  const camera = cameras.find((one) => one.id === id);
  if (camera === undefined) throw new Error(`There is no camera ${id}.`);
  return camera;
}

function clipOf(clips: ReadonlyMap<string, Buffer>, id: string): Buffer {
  const clip = clips.get(id);
  if (clip === undefined) throw new Error(`There is no clip of ${id}.`);
  return clip;
}

/** Writes a file as if its recorder had closed it at this moment. */
async function put(file: string, bytes: Buffer, closedUs: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
  await utimes(file, closedUs / 1e6, closedUs / 1e6);
}

async function putBadFiles(folder: string, clips: ReadonlyMap<string, Buffer>, nowUs: number): Promise<SiteBadFile[]> {
  const random = makeRandom(7);
  const [lobby, yard, parking] = [cameraOf('lobby'), cameraOf('yard'), cameraOf('parking')];
  const [clip, whole] = [clipOf(clips, 'parking'), clipOf(clips, 'lobby')];
  const atUs = unambiguous(Math.floor(nowUs / minuteUs) * minuteUs - 50 * hourUs);
  const garbage = Buffer.from(Array.from({ length: 40_000 }, () => Math.floor(random() * 256)));
  const year = zoned(atUs, 'UTC').year;
  const files: (SiteBadFile & { bytes: Buffer })[] = [
    { root: 'frigate', path: pathOf(lobby, atUs), why: 'empty', expect: 'quarantined', bytes: Buffer.alloc(0) },
    { root: 'frigate', path: pathOf(yard, atUs), why: 'garbage', expect: 'quarantined', bytes: garbage },
    { root: 'frigate', path: pathOf(lobby, atUs + minuteUs), why: 'cut', expect: 'quarantined', bytes: cutOff(whole) },
    { root: 'frigate', path: `${year}-13-45/08/lobby/10.00.mp4`, why: 'misnamed', expect: 'quarantined', bytes: clip },
    { root: 'mediamtx', path: 'parking/copy of last week.mp4', why: 'foreign', expect: 'quarantined', bytes: clip },
    {
      root: 'mediamtx',
      path: `${pathOf(parking, atUs + minuteUs)}.part`,
      why: 'unfinished',
      expect: 'quarantined',
      bytes: clip.subarray(0, 50_000),
    },
    {
      root: 'frigate',
      path: 'notes.txt',
      why: 'companion',
      expect: 'left alone',
      bytes: Buffer.from('The disk of this recorder was replaced in spring.\n'),
    },
  ];
  for (const { root, path, bytes } of files) await put(join(folder, root, path), bytes, atUs);
  return files.map(({ root, path, why, expect }) => ({ root, path, why, expect }));
}

function configText(settings: Readonly<Record<string, unknown>>): string {
  const config = {
    site: { name: 'Sample site', timezone },
    data: './data',
    roots: [
      { id: 'frigate', path: './frigate', layout: 'frigate' },
      { id: 'mediamtx', path: './mediamtx', layout: 'mediamtx', timezone },
    ],
    cameras: cameras.map(({ id, label }) => ({ id, label, class: 'crime-prevention', retentionDays: 30 })),
    ...settings,
  };
  return `# A synthetic site: nobody in its recordings exists.\n${stringify(config)}`;
}

export interface SiteOptions {
  /** All ages are counted back from here. */
  readonly now: Date;
  /** Sections of gateway.yaml to add or replace, such as `{ api: { port: 0 } }`. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/**
 * Lays out a whole site below `folder`, which must be empty or absent: recordings of four cameras over the last 31 days as
 * Frigate and MediaMTX would leave them, a few bad files, and `gateway.yaml`. Each scene is drawn once; its walks repeat
 * after one segment, so the same pictures can follow themselves, and only the container's clock differs.
 */
export async function makeSite(folder: string, { now, settings = {} }: SiteOptions): Promise<Site> {
  const nowUs = now.getTime() * 1000;
  await mkdir(folder, { recursive: true });
  const clips = new Map<string, Buffer>();
  const described: (SampleCamera & { truth: SceneTruth })[] = [];
  for (const camera of cameras) {
    const file = join(folder, `${camera.id}.mp4`);
    const { place, seed, audio } = camera;
    const fragmented = camera.root === 'mediamtx';
    described.push({
      ...camera,
      truth: await encodeScene(file, { place, seed, audio, fragmented, seconds: segmentS }),
    });
    clips.set(camera.id, await readFile(file));
    await rm(file);
  }
  const { stretches, starts } = plan(nowUs);
  const segments: SiteSegment[] = [];
  for (const { camera, startUs, stretch } of starts) {
    const clip = clipOf(clips, camera.id);
    const path = pathOf(camera, startUs);
    const endUs = startUs + segmentS * 1_000_000;
    await put(join(folder, camera.root, path), stampCreation(clip, startUs), endUs);
    segments.push({
      camera: camera.id,
      root: camera.root,
      path,
      startUs,
      endUs,
      sizeBytes: clip.length,
      audio: camera.audio,
      expect: nowUs - startUs >= dueAgeUs ? 'due' : 'keep',
      stretch,
    });
  }
  const bad = await putBadFiles(folder, clips, nowUs);
  const configFile = join(folder, 'gateway.yaml');
  await writeFile(configFile, configText(settings));
  return { folder, configFile, timezone, nowUs, cameras: described, stretches, segments, bad };
}
