// One measured run of bench/probe.mjs, in a process of its own: milliseconds until its first verdict, and milliseconds a file from then on.
import { probeFile } from '../../dist/recordings/probe.js';

process.on('message', async ({ first, files, atOnce }) => {
  const started = performance.now();
  await probeFile(first[0]);
  const startMs = performance.now() - started;
  // What runs for months has met each kind of file before.
  for (let time = 0; time < 5; time += 1) await Promise.all(first.map((file) => probeFile(file)));
  const began = performance.now();
  let at = 0;
  const take = async () => {
    while (at < files.length) await probeFile(files[at++]);
  };
  await Promise.all(Array.from({ length: atOnce }, take));
  process.send({ startMs, ms: (performance.now() - began) / files.length });
  process.disconnect();
});
process.send('ready');
