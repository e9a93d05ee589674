/**
 * The main job from end to end. Every step is proved by looking at the result: at the disk, at pixels, at what a second
 * program says; never by an exit code alone.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { logIn, mustRun, serve, tredive, until, type Person } from './gateway.js';
import type { OnvifDevice } from './onvif-device.js';
import { commonLevel, filledShare, lumaFrames } from './pixels.js';
import type { Site, SiteSegment } from './site.js';

export interface Step {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

class Broken extends Error {}

function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Broken(message);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const iso = (us: number): string => new Date(us / 1000).toISOString();

/** Tells the story step by step; after a step that failed the rest is not told, because it builds on it. */
export async function tellStory(
  site: Site,
  url: string,
  devices: readonly OnvifDevice[],
  say: (text: string) => void,
): Promise<Step[]> {
  const steps: Step[] = [];
  const story = makeStory(site, url, devices);
  try {
    for (const [name, tell] of story.chapters) {
      const began = performance.now();
      try {
        const detail = await tell();
        steps.push({ name, ok: true, detail });
        say(`ok      ${name}: ${detail} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
      } catch (error) {
        const detail =
          error instanceof Broken ? error.message : String(error instanceof Error ? (error.stack ?? error) : error);
        steps.push({ name, ok: false, detail });
        say(`FAILED  ${name}: ${detail}`);
        break;
      }
    }
  } finally {
    await story.end();
  }
  return steps;
}

function makeStory(site: Site, url: string, devices: readonly OnvifDevice[]) {
  const { configFile, folder } = site;
  const onDisk = (segment: SiteSegment): string => join(folder, segment.root, segment.path);
  const stretch = site.stretches.find((one) => one.name === 'due');
  if (stretch === undefined) throw new Error('The sample site has no stretch that is due.');
  /** Five seconds into the first segment until ten before the end of the second: cut on both sides. */
  const range = { startUs: stretch.startUs + 5_000_000, endUs: stretch.startUs + 30_000_000 };
  const isAsked = (segment: SiteSegment): boolean =>
    segment.camera === 'lobby' && segment.startUs < range.endUs && segment.endUs > range.startUs;
  const asked = site.segments.filter(isAsked);
  const due = site.segments.filter((segment) => segment.expect === 'due');
  const toGo = due.filter((segment) => !isAsked(segment));
  const toStay = site.segments.filter((segment) => segment.expect === 'keep' || isAsked(segment));
  const originals = new Map(asked.map((segment) => [segment.path, sha256(readFileSync(onDisk(segment)))]));

  const passwords = { alice: 'alice-asks-for-footage', bo: 'bo-decides-on-footage' };
  const asAlice = { TREDIVE_USER: 'alice', TREDIVE_PASSWORD: passwords.alice };
  let requestId = '';
  let alice: Person | null = null;
  let bo: Person | null = null;
  let gateway: Awaited<ReturnType<typeof serve>> | null = null;
  const log: string[] = [];
  const packageDir = (): string => join(folder, 'data', 'packages', requestId);
  const archive = join(folder, 'handed-over.zip');

  async function stateOf(): Promise<{ state: string; failure: string | null }> {
    assert(bo !== null, 'nobody is logged in');
    const { status, body } = await bo.call<{ request: { state: string; failure: string | null } }>(
      'GET',
      `/api/requests/${requestId}`,
    );
    assert(status === 200, `GET request answered ${status}`);
    assert(body.request.state !== 'preparation-failed', `preparing failed: ${body.request.failure ?? ''}`);
    return body.request;
  }
  const reach = (state: string, seconds: number): Promise<true> =>
    until(`the request is ${state}`, seconds, async () => ((await stateOf()).state === state ? true : null));

  const chapters: [string, () => Promise<string>][] = [
    [
      'cameras are discovered',
      async () => {
        const found = await mustRun<{
          cameras: { serial: string | null; clockOffsetMs: number | null }[];
          registered: string[];
        }>(configFile, ['discover']);
        const serials = found.cameras.map((camera) => camera.serial);
        assert(serials.includes('SAMPLE-0001'), `the lobby's device was not recognised: ${JSON.stringify(found)}`);
        assert(
          found.cameras.length >= devices.length,
          `${devices.length} devices are there, ${found.cameras.length} were found`,
        );
        assert(
          found.registered.length === 1,
          `only the unknown device should be new in the register: ${found.registered.join(', ')}`,
        );
        return `${found.cameras.length} found; the lobby's is known by its serial number, the other waits for an administrator`;
      },
    ],
    [
      'recordings are indexed',
      async () => {
        const scan = await mustRun<{
          segments: number;
          added: number;
          quarantined: { path: string; reason: string }[];
        }>(configFile, ['scan']);
        assert(
          scan.segments === site.segments.length,
          `${site.segments.length} segments are there, ${scan.segments} were indexed`,
        );
        const bad = site.bad.filter((file) => file.expect === 'quarantined');
        for (const { path } of bad)
          assert(
            scan.quarantined.some((one) => one.path === path),
            `${path} was not quarantined`,
          );
        const again = await mustRun<{ added: number; unchanged: number }>(configFile, ['scan']);
        assert(again.added === 0 && again.unchanged === site.segments.length, `a second scan added ${again.added}`);
        return `${scan.segments} segments in two layouts, ${scan.quarantined.length} bad files quarantined with a reason`;
      },
    ],
    [
      'what is due is planned, and nothing else',
      async () => {
        const plan = await mustRun<{ due: number; segments: { path: string }[] }>(configFile, ['retain']);
        const planned = plan.segments.map((segment) => segment.path).sort();
        const expected = due.map((segment) => segment.path).sort();
        assert(
          JSON.stringify(planned) === JSON.stringify(expected),
          `${expected.length} are due, planned were ${planned.length}`,
        );
        assert(
          due.every((segment) => existsSync(onDisk(segment))),
          'a dry run deleted something',
        );
        return `${plan.due} of ${site.segments.length} segments`;
      },
    ],
    [
      'security asks for footage, which is held at once',
      async () => {
        for (const [name, role] of [
          ['alice', 'security'],
          ['bo', 'legal'],
        ] as const) {
          await mustRun(configFile, ['user', 'add', name, '--role', role], { TREDIVE_PASSWORD: passwords[name] });
        }
        const create = (ground: string): string[] => [
          'request',
          'create',
          '--ground',
          ground,
          '--recipient',
          'Sample police',
          '--contact',
          'called back on the published number',
          '--journal',
          '0100-00001-26',
          '--purpose',
          'burglary',
          '--cameras',
          'lobby',
          '--from',
          iso(range.startUs),
          '--to',
          iso(range.endUs),
        ];
        const curious = await tredive(configFile, create('curiosity'), asAlice);
        assert(curious.code === 2, `the ground "curiosity" ended with ${curious.code}`);
        const made = await mustRun<{
          request: { id: string };
          coverage: { cameras: { segments: unknown[]; gaps: unknown[] }[] };
        }>(configFile, create('police'), asAlice);
        requestId = made.request.id;
        assert(
          made.coverage.cameras[0]?.segments.length === asked.length,
          'the coverage does not show the segments asked for',
        );
        const plan = await mustRun<{ due: number; held: number }>(configFile, ['retain']);
        assert(
          plan.held === asked.length && plan.due === toGo.length,
          `held ${plan.held} of ${asked.length}, due ${plan.due} of ${toGo.length}`,
        );
        return `${plan.held} segments that were due are held; a ground that the law does not know was refused`;
      },
    ],
    [
      'what is due is deleted, and nothing else',
      async () => {
        const result = await mustRun<{ deleted: number; failed: unknown[] }>(configFile, ['retain', '--apply']);
        const left = toGo.filter((segment) => existsSync(onDisk(segment)));
        assert(
          left.length === 0,
          `${left.length} segments that are due are still on disk, such as ${left[0]?.path ?? ''}`,
        );
        const lost = toStay.filter(
          (segment) => !existsSync(onDisk(segment)) || statSync(onDisk(segment)).size !== segment.sizeBytes,
        );
        assert(
          lost.length === 0,
          `${lost.length} segments are gone that should be there, such as ${lost[0]?.path ?? ''}`,
        );
        for (const file of site.bad) assert(existsSync(join(folder, file.root, file.path)), `${file.path} was touched`);
        return `${result.deleted} files gone from disk, ${toStay.length} still there`;
      },
    ],
    [
      'the gateway prepares by itself',
      async () => {
        gateway = await serve(configFile, url, (line) => void log.push(line));
        alice = await logIn(url, 'alice', passwords.alice);
        bo = await logIn(url, 'bo', passwords.bo);
        await reach('prepared', 180);
        return 'originals copied and hashed, people detected, masked copies rendered and proved';
      },
    ],
    [
      'nobody approves his own request',
      async () => {
        assert(alice !== null && bo !== null, 'nobody is logged in');
        const own = await alice.call<{ error?: { code: string } }>('POST', `/api/requests/${requestId}/decision`, {
          approve: true,
          reason: 'it is mine',
          terms: { audioReason: null, redactedOnlyReason: null },
        });
        assert(own.status === 403, `the requester's own decision was answered with ${own.status}`);
        const early = await bo.call('POST', `/api/requests/${requestId}/decision`, {
          approve: true,
          reason: 'unseen',
          terms: { audioReason: 'x', redactedOnlyReason: null },
        });
        assert(early.status === 409, `a decision without review was answered with ${early.status}`);
        return 'refused, and so was a decision without review';
      },
    ],
    [
      'legal reviews and approves',
      async () => {
        assert(bo !== null, 'nobody is logged in');
        const review = await bo.call('POST', `/api/requests/${requestId}/review`, { uncertainSeen: true });
        assert(review.status === 200, `review answered ${review.status}: ${JSON.stringify(review.body)}`);
        const silent = await bo.call('POST', `/api/requests/${requestId}/decision`, {
          approve: true,
          reason: 'the police need it',
          terms: { audioReason: null, redactedOnlyReason: null },
        });
        assert(silent.status >= 400, 'originals with sound were approved without a reason for the sound');
        const decision = await bo.call('POST', `/api/requests/${requestId}/decision`, {
          approve: true,
          reason: 'the police need it',
          terms: { audioReason: 'the threat is heard, not seen', redactedOnlyReason: null },
        });
        assert(decision.status === 200, `decision answered ${decision.status}: ${JSON.stringify(decision.body)}`);
        return 'with a reason for the sound, without which it was refused';
      },
    ],
    [
      'the package is made, and a second program finds it whole',
      async () => {
        assert(bo !== null && alice !== null, 'nobody is logged in');
        const reader = bo;
        const pack = await bo.call('POST', `/api/requests/${requestId}/package`, {});
        assert(pack.status === 202, `package answered ${pack.status}: ${JSON.stringify(pack.body)}`);
        await until('the archive is there', 120, async () => {
          const { body } = await reader.call<{ archive: object | null; job: { state: string; error: unknown } | null }>(
            'GET',
            `/api/requests/${requestId}`,
          );
          assert(body.job?.state !== 'failed', `packaging failed: ${JSON.stringify(body.job)}`);
          return body.archive;
        });
        writeFileSync(archive, await alice.download(`/api/requests/${requestId}/archive`));
        for (const path of [packageDir(), archive]) {
          const report = await mustRun<{ ok: boolean; checks: { name: string; ok: boolean }[] }>(null, [
            'verify',
            path,
            '--key',
            join(folder, 'data', 'keys', 'package.pem.pub'),
          ]);
          assert(report.ok && report.checks.every((check) => check.ok), JSON.stringify(report));
        }
        return 'as a folder and as a ZIP';
      },
    ],
    [
      'originals are bit-exact',
      () => {
        const folderOf = join(packageDir(), 'originals');
        const hashes = readdirSync(folderOf)
          .map((name) => sha256(readFileSync(join(folderOf, name))))
          .sort();
        assert(
          JSON.stringify(hashes) === JSON.stringify([...originals.values()].sort()),
          'the originals in the package are other files',
        );
        return Promise.resolve(`${hashes.length} files, hashes as on the recorder's disk before`);
      },
    ],
    ['nobody can be recognised in the masked copies', () => looksCovered()],
    [
      'a tampered package is refused',
      async () => {
        const folderOf = join(packageDir(), 'originals');
        const victim = readdirSync(folderOf)[0] ?? '';
        const copy = join(folder, 'tampered');
        cpSync(packageDir(), copy, { recursive: true });
        const bytes = readFileSync(join(copy, 'originals', victim));
        bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
        writeFileSync(join(copy, 'originals', victim), bytes);
        const { code, json } = await tredive(null, ['verify', copy]);
        assert(code === 3, `verify ended with ${code} for a package with one flipped bit`);
        assert(JSON.stringify(json).includes(victim), 'verify does not name the file that is wrong');
        return `one flipped bit in ${victim} was found and named`;
      },
    ],
    [
      'the log is whole, and a changed log is not',
      async () => {
        const whole = await mustRun<{ ok: boolean; size: number }>(configFile, ['audit', 'verify']);
        const copy = join(folder, 'changed-log');
        cpSync(join(folder, 'data'), join(copy, 'data'), { recursive: true });
        const db = new Database(join(copy, 'data', 'tredive.db'));
        db.exec('DROP TRIGGER audit_event_no_update');
        db.prepare(
          `UPDATE audit_event SET entry = replace(entry, 'request.approved', 'request.refused') WHERE entry LIKE '%request.approved%'`,
        ).run();
        db.close();
        writeFileSync(
          join(copy, 'gateway.yaml'),
          readFileSync(configFile, 'utf8').replaceAll(/path: \.\/(frigate|mediamtx)/g, `path: ${folder}/$1`),
        );
        const { code, json } = await tredive(join(copy, 'gateway.yaml'), ['audit', 'verify']);
        assert(code === 3, `audit verify ended with ${code} for a log with an edited entry: ${JSON.stringify(json)}`);
        return `${whole.size} entries; an approval turned into a refusal was found`;
      },
    ],
    [
      'received: the copies go, and then the footage',
      async () => {
        assert(alice !== null && gateway !== null, 'the gateway does not run');
        const closed = await alice.call('POST', `/api/requests/${requestId}/close`, { why: 'received' });
        assert(closed.status === 200, `close answered ${closed.status}: ${JSON.stringify(closed.body)}`);
        assert(!existsSync(packageDir()), "the gateway's copy of the package is still there");
        const code = await gateway.stop();
        gateway = null;
        assert(code === 0, `serve ended with ${code} on SIGTERM`);
        await mustRun(configFile, ['retain', '--apply']);
        assert(
          asked.every((segment) => !existsSync(onDisk(segment))),
          'footage whose hold has ended is still on disk',
        );
        const check = await tredive(configFile, ['check']);
        assert(check.code === 0, `check found: ${JSON.stringify(check.json)}`);
        return 'index, disk and log agree at the end';
      },
    ],
  ];

  /** Against the truth that the scene was drawn from: every body, in every frame of the copies. */
  async function looksCovered(): Promise<string> {
    const truth = site.cameras.find((camera) => camera.id === 'lobby')?.truth;
    assert(truth !== undefined, 'the truth of the lobby is missing');
    const folderOf = join(packageDir(), 'redacted');
    const copies = readdirSync(folderOf)
      .filter((name) => name.endsWith('.mp4'))
      .sort();
    assert(copies.length === asked.length, `${asked.length} masked copies should be there, found ${copies.length}`);
    let [bodies, covered, worst, clear] = [0, 0, 1, 0];
    for (const [index, name] of copies.entries()) {
      const segment = asked[index];
      assert(segment !== undefined, 'a copy without its segment');
      const first = Math.round(((Math.max(range.startUs, segment.startUs) - segment.startUs) / 1e6) * truth.fps);
      const end = Math.round(((Math.min(range.endUs, segment.endUs) - segment.startUs) / 1e6) * truth.fps);
      const frames = await lumaFrames(join(folderOf, name), truth.width, truth.height);
      assert(frames.length === end - first, `${name} has ${frames.length} frames, asked for were ${end - first}`);
      const looked = frames.map((luma, at) => ({
        luma,
        boxes: (truth.frames[first + at] ?? []).filter((figure) => figure.visible > 0.3).map((figure) => figure.body),
      }));
      const level = commonLevel(looked, truth.width);
      for (const { luma, boxes } of looked) {
        for (const box of boxes) {
          const share = filledShare(luma, truth.width, box, level);
          bodies += 1;
          if (share >= 0.8) covered += 1;
          worst = Math.min(worst, share);
        }
      }
      const picture = { x: 0, y: 0, w: truth.width, h: truth.height };
      clear += 1 - filledShare(frames[0] ?? new Uint8Array(), truth.width, picture, level, 2);
    }
    assert(bodies > 100, `only ${bodies} bodies were there to be looked at`);
    assert(
      covered / bodies >= 0.995 && worst >= 0.3,
      `${covered} of ${bodies} bodies are covered, the worst to ${Math.round(worst * 100)} %`,
    );
    assert(clear / copies.length > 0.4, 'the copies are covered all over, which is no way out');
    return `${covered} of ${bodies} drawn bodies covered in the pixels, the worst to ${Math.round(worst * 100)} %`;
  }

  return {
    chapters,
    end: async () => {
      if (gateway !== null) await gateway.stop();
    },
  };
}
