/**
 * `npm run demo`: a synthetic site in a temporary folder, and the gateway on it. With `--check` the whole story is told
 * without a person, and each step proved by looking at what became of it; exits 0 or 1, `--json` for a summary.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mustRun, serve } from './gateway.js';
import { startOnvifDevice, type OnvifDevice } from './onvif-device.js';
import { makeSite, type Site } from './site.js';
import { tellStory } from './story.js';

const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Two cameras on the network: one that the configuration knows by its serial number, one that nobody has adopted yet. */
async function startDevices(): Promise<OnvifDevice[]> {
  const common = {
    manufacturer: 'Sample',
    user: 'tredive',
    password: 'sample-password',
    httpPort: 0,
    address: '127.0.0.1',
    discoveryPort: 0,
    multicast: false,
  };
  return Promise.all([
    startOnvifDevice({ ...common, name: 'Lobby', model: 'S-1', serial: 'SAMPLE-0001', mac: '02:7e:d1:5e:00:01' }),
    startOnvifDevice({
      ...common,
      name: 'Loading ramp',
      model: 'S-2',
      serial: 'SAMPLE-0002',
      mac: '02:7e:d1:5e:00:02',
      clockOffsetMs: 4000,
    }),
  ]);
}

/** The site with a configuration that knows the first device: by serial number, so that it may move. */
async function build(folder: string, devices: readonly OnvifDevice[], port: number): Promise<Site> {
  const onvif = {
    serial: 'SAMPLE-0001',
    address: `127.0.0.1:${devices[0]?.port ?? 0}`,
    user: 'tredive',
    passwordFile: './camera-password',
  };
  const site = await makeSite(folder, {
    now: new Date(),
    settings: {
      cameras: [
        { id: 'lobby', label: 'Lobby', retentionDays: 30, onvif },
        { id: 'yard', label: 'Yard' },
        { id: 'parking', label: 'Car park' },
      ],
      api: { port },
      // A gateway that runs on this machine has it.
      hook: { port: 0 },
      recordings: { quietSeconds: 2 },
      discovery: { seconds: 1, targets: devices.map((device) => `127.0.0.1:${device.discoveryPort ?? 0}`) },
      audit: { anchors: ['./anchor-on-another-machine/checkpoints'] },
      log: { level: 'warn' },
    },
  });
  await writeFile(join(folder, 'camera-password'), 'sample-password\n', { mode: 0o600 });
  return site;
}

/** For a person: everything is prepared up to where it becomes interesting, and the gateway runs until Ctrl-C. */
async function runForAPerson(site: Site, url: string): Promise<void> {
  const { configFile } = site;
  say('Indexing ...');
  await mustRun(configFile, ['scan']);
  const people = [];
  for (const [name, role] of [
    ['alice', 'security'],
    ['bo', 'legal'],
    ['carla', 'admin'],
    ['dan', 'auditor'],
  ] as const) {
    people.push(
      await mustRun<{ name: string; roles: string[]; password: string }>(configFile, [
        'user',
        'add',
        name,
        '--role',
        role,
      ]),
    );
  }
  const alice = people[0];
  const due = site.stretches.find((stretch) => stretch.name === 'due');
  if (alice === undefined || due === undefined) throw new Error('The sample site is not complete.');
  const from = new Date(due.startUs / 1000).toISOString();
  const to = new Date(due.startUs / 1000 + 40_000).toISOString();
  await mustRun(
    configFile,
    [
      'request',
      'create',
      '--user',
      'alice',
      '--ground',
      'police',
      '--recipient',
      'Sample police',
      '--contact',
      'called back',
      '--journal',
      '0100-00001-26',
      '--purpose',
      'burglary',
      '--cameras',
      'lobby',
      '--from',
      from,
      '--to',
      to,
    ],
    { TREDIVE_PASSWORD: alice.password },
  );
  const gateway = await serve(configFile, url, say);
  say('');
  say(`The gateway runs: ${url}/`);
  for (const { name, roles, password } of people)
    say(`  ${name.padEnd(6)} ${roles.join(', ').padEnd(9)} password ${password}`);
  say(`What was due is deleted by now; what the request of alice is about is held, and being prepared.`);
  say(`Recordings and configuration: ${site.folder}`);
  say(`Try:  node dist/main.js retain --config ${configFile}`);
  say('Ctrl-C ends it and removes the folder.');
  await new Promise<void>((stop) => {
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    gateway.process.once('exit', stop);
  });
  await gateway.stop();
}

if (options.help) {
  say('npm run demo [-- --check [--json]] [--keep]');
} else {
  const began = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'tredive-demo-'));
  const devices = await startDevices();
  try {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    say(`Drawing a synthetic site in ${folder} ...`);
    const site = await build(folder, devices, port);
    if (options.check) {
      const steps = await tellStory(site, url, devices, say);
      const ok = steps.every((step) => step.ok);
      const seconds = Math.round((performance.now() - began) / 100) / 10;
      if (options.json) process.stdout.write(`${JSON.stringify({ ok, seconds, steps }, null, 2)}\n`);
      say(
        ok
          ? `The whole story holds: ${steps.length} steps in ${seconds} s.`
          : `${steps.filter((step) => !step.ok).length} of ${steps.length} steps FAILED.`,
      );
      process.exitCode = ok ? 0 : 1;
    } else {
      await runForAPerson(site, url);
    }
  } finally {
    await Promise.all(devices.map((device) => device.close()));
    if (options.keep) say(`Kept: ${folder}`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
