// One measured run of bench/run.mjs, in a process of its own. Prints JSON.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { encoderSettings, findFfmpeg, startDecoder } from '../../dist/platform/ffmpeg.js';
import { openFrameLine } from '../../dist/platform/native.js';
import { builtInManifest } from '../../dist/redaction/detectors/manifest.js';
import { openDetectorPool } from '../../dist/redaction/detectors/pool.js';
import { redactFile, renderCopy } from '../../dist/redaction/apart.js';
import { analyseFile, defaultRedaction } from '../../dist/redaction/redact.js';

const [what, input, output] = process.argv.slice(2);
const settings = { ...defaultRedaction, detector: builtInManifest };
const decisions = { keepVisible: [], drawn: [] };

/** Processor seconds of this process and of all its children that have ended. */
function cpuSeconds() {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** Decodes at the detector's size, and detects in every fifth frame. */
async function everyFifth() {
  const pool = openDetectorPool({ minScore: 0.1, vehicles: true, workers: 2, manifestPath: builtInManifest });
  const size = pool.sizeFor(JSON.parse(process.env.PICTURE ?? '{"width":1920,"height":1080}'));
  const decoder = await startDecoder({ input, size });
  const line = openFrameLine({ readFd: decoder.readFd, timesFd: decoder.timesFd, style: 'solid' });
  await line.header();
  const underWay = new Set();
  let frames = 0;
  while ((await line.next()) !== null) {
    if (frames % 5 === 0) {
      const pixels = new Float32Array(3 * size.width * size.height);
      await line.look({ rgb: { pixels, ...size }, small: null, matrix: 'bt601' });
      const done = pool.detect(pixels, size.width, size.height).then(() => underWay.delete(done));
      underWay.add(done);
      if (underWay.size >= 4) await Promise.race(underWay);
    }
    frames += 1;
  }
  await Promise.all(underWay);
  await decoder.done;
  line.close();
  await pool.close();
  return { frames };
}

const runs = {
  /** What everything is compared with: decoded and encoded by ffmpeg alone, with the settings of a masked copy. */
  async reference() {
    const { path } = await findFfmpeg();
    const args = ['-v', 'error', '-nostdin', '-y', '-i', input, '-an', ...encoderSettings, '-f', 'mp4', output];
    const done = spawnSync(path, args, { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`ffmpeg ${args.join(' ')}: ${done.stderr}`);
    return {};
  },
  async redact() {
    const { frames, analysis } = await redactFile({ input, output, settings, decisions });
    return { frames, looks: analysis.detector.framesLookedAt };
  },
  async render() {
    const analysis = await analyseFile(input, settings);
    const { frames, seconds } = await renderCopy({ input, output, settings, decisions, analysis });
    return { frames, renderSeconds: seconds };
  },
  async analyse() {
    const { pts, detector } = await analyseFile(input, settings);
    return { frames: pts.length, looks: detector.framesLookedAt };
  },
  'every-fifth': everyFifth,
};

const result = await runs[what]();
process.stdout.write(JSON.stringify({ ...result, cpuSeconds: cpuSeconds() }));
