/**
 * Tries one model, in a process of its own (see trial.ts): a file that somebody brought may bring the runtime down with it.
 * argv: the manifest. One line of JSON on stdout: a TrialReport.
 */
import { openDetector } from './index.js';
import { detectionSize } from './input.js';
import { readManifest } from './manifest.js';
import { blankPicture, pictureOfPeople, type TestPicture } from './test-picture.js';
import type { Detection } from './detector.js';
import type { TrialReport } from './trial.js';

/** A picture as most cameras make it, an older one, and one that hangs on its side: each its own size and padding. */
const pictures = [
  { width: 1920, height: 1080 },
  { width: 768, height: 576 },
  { width: 1080, height: 1920 },
];
/** What a real model never says of a grey picture; 0.2 is where masking begins by default. */
const surely = 0.5;
const perhaps = 0.2;

/** Half of the drawn person is in the box, and the box is not the whole picture. */
function shows({ box, kind, score }: Detection, person: TestPicture['people'][number], area: number): boolean {
  const w = Math.min(box.x + box.w, person.x + person.w) - Math.max(box.x, person.x);
  const h = Math.min(box.y + box.h, person.y + person.h) - Math.max(box.y, person.y);
  const covered = w <= 0 || h <= 0 ? 0 : (w * h) / (person.w * person.h);
  return kind === 'person' && score >= perhaps && covered >= 0.5 && box.w * box.h < area / 2;
}

async function tryModel(manifestPath: string): Promise<TrialReport> {
  const { input } = readManifest(manifestPath);
  const detector = await openDetector(manifestPath, { minScore: 0.1, vehicles: true });
  const timesMs: number[] = [];
  const look = async ({ pixels, width, height }: TestPicture): Promise<Detection[]> => {
    const began = performance.now();
    const detections = await detector.detect(pixels, width, height);
    timesMs.push(performance.now() - began);
    return detections;
  };
  let [drawn, seen] = [0, 0];
  for (const picture of pictures) {
    const { width, height } = detectionSize(picture, input);
    for (const grey of [0, 114, 255]) {
      const found = (await look(blankPicture(width, height, grey))).find(({ score }) => score >= surely);
      if (found !== undefined) {
        const what = `a ${found.kind} (score ${found.score.toFixed(2)})`;
        return { ok: false, reason: `It sees ${what} in a picture of one grey (${grey}) of ${width}x${height}.` };
      }
    }
    const drawing = pictureOfPeople(width, height);
    const detections = await look(drawing);
    drawn += drawing.people.length;
    seen += drawing.people.filter((person) => detections.some((one) => shows(one, person, width * height))).length;
  }
  await detector.close();
  // The first one also sets everything up.
  const steady = timesMs.slice(1).sort((a, b) => a - b);
  return { ok: true, lookMs: steady[steady.length >> 1] ?? 0, drawn, seen };
}

/** The innermost cause says what the file or the runtime has against it. */
function reasonOf(error: unknown): string {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  return at instanceof Error ? at.message : String(at);
}

const report = await tryModel(process.argv[2] ?? '').catch((error: unknown): TrialReport => ({
  ok: false,
  reason: reasonOf(error),
}));
process.stdout.write(`${JSON.stringify(report)}\n`);
