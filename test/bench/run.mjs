// Prints what masking costs, as a ratio to a plain ffmpeg transcode of the same file with the same encoder settings, in the
// same run: machines are noisy, ratios less so. Three runs or more in turn; medians. No test depends on it.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const { values } = (await import('node:util')).parseArgs({
  options: { runs: { type: 'string', default: '3' }, seconds: { type: 'string', default: '60' } },
});
const runs = Math.max(1, Number(values.runs));
const { findFfmpeg, encoderSettings } = await import('../../dist/platform/ffmpeg.js');
const { analyseFile, defaultRedaction, renderCopy } = await import('../../dist/redaction/redact.js');
const { path: ffmpeg, version } = await findFfmpeg();
const embedded = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg').path;
const folder = mkdtempSync(join(tmpdir(), 'tredive-bench-'));

function must(binary, args) {
  const done = spawnSync(binary, ['-v', 'error', '-nostdin', '-y', ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${binary} ${args.join(' ')}: ${done.stderr}`);
}

const timed = async (work) => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const nobody = { keepVisible: [], drawn: [] };

async function measure(name, input) {
  const plain = join(folder, 'plain.mp4');
  const times = { transcode: [], analyse: [], render: [], whole: [] };
  let frames = 0;
  for (let run = 0; run < runs; run += 1) {
    times.transcode.push(await timed(() => must(ffmpeg, ['-i', input, '-an', ...encoderSettings, '-f', 'mp4', plain])));
    const output = join(folder, `masked-${run}.mp4`);
    let analysis;
    const analyse = await timed(async () => {
      analysis = await analyseFile(input, defaultRedaction);
    });
    const render = await timed(() =>
      renderCopy({ input, output, analysis, decisions: nobody, settings: defaultRedaction }),
    );
    frames = analysis.pts.length;
    times.analyse.push(analyse);
    times.render.push(render);
    times.whole.push(analyse + render);
    rmSync(output);
  }
  const ratio = (key) => median(times[key].map((seconds, run) => seconds / times.transcode[run])).toFixed(2);
  console.log(
    [
      name.padEnd(34),
      String(frames).padStart(6),
      median(times.transcode).toFixed(1).padStart(9),
      median(times.whole).toFixed(1).padStart(9),
      ratio('analyse').padStart(9),
      ratio('render').padStart(9),
      ratio('whole').padStart(9),
    ].join('  '),
  );
}

try {
  console.log(`ffmpeg ${version}, ${runs} runs, medians; render has the proof in it\n`);
  console.log(
    'clip                                frames  ffmpeg s  redact s   analyse    render     whole  (ratios to ffmpeg)',
  );
  const scene = join(folder, 'scene.mp4');
  const { encodeScene } = await import('../../dist/samples/scene.js');
  await encodeScene(scene, { place: 'yard', seconds: 20, seed: 3 });
  await measure('drawn yard, 768x432 at 10', scene);
  const large = join(folder, 'large.mp4');
  must(embedded, [
    '-stream_loop',
    '-1',
    '-t',
    values.seconds,
    '-i',
    scene,
    '-vf',
    'scale=1920:1080',
    '-r',
    '25',
    ...encoderSettings,
    '-an',
    large,
  ]);
  await measure(`the same, 1920x1080 at 25, ${values.seconds} s`, large);
  const footage = process.env.TREDIVE_FOOTAGE;
  for (const clip of ['one-by-one-person-detection.mp4', 'vtest.avi']) {
    const input = join(footage ?? '', 'footage', clip);
    if (footage && existsSync(input)) await measure(clip, input);
    else console.log(`${clip}: set TREDIVE_FOOTAGE to measure it`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
