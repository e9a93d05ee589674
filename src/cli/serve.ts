import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Command } from 'commander';
import { Cron } from 'croner';
import type { ApiDeps } from '../api/deps.js';
import { makeHookApi } from '../api/hook-server.js';
import { makeApi } from '../api/server.js';
import { noteConfiguration, openGateway, type Gateway } from '../app.js';
import { discoverCameras } from '../cameras/index.js';
import { measureClocks } from '../cameras/measure-clocks.js';
import { registerDiscovered } from '../cameras/register-found.js';
import { loadConfig } from '../config.js';
import { expirePackages } from '../disclosure/close.js';
import { cleanUpAfterCrash } from '../disclosure/recovery.js';
import { lastMonth } from '../domain/deletion-report.js';
import { toGatewayError, GatewayError } from '../errors.js';
import { readOrMakeSecret } from '../platform/secret.js';
import { version } from '../platform/version.js';
import { prunePictures } from '../recordings/pictures/cache.js';
import { scanRoots } from '../recordings/scan.js';
import { watchRoots } from '../recordings/watch.js';
import { applyDeletions } from '../retention/delete.js';
import { keepOldest } from '../retention/oldest-record.js';
import { rebuild, retryTruncation } from '../store/database.js';
import { removeExpiredSessions } from '../store/users.js';
import { apiDeps } from './api-deps.js';
import { define } from './command.js';
import { clockTargets, discoveryOptions } from './discover.js';
import { hookHosts, hookSecret } from './hook.js';
import { makeJobs } from './jobs.js';
import { makeReports } from './reports.js';
import { makeVaultKeeper } from './vault-keeper.js';

/** How long a scan waits after something was overlooked: more of it may follow. */
const scanSoonMs = 30_000;

export function serve(program: Command): void {
  define(
    program.command('serve').description('run the gateway until SIGTERM or SIGINT'),
    async ({ options, signal }) => {
      const gateway = await openGateway(loadConfig(options.config), { signal });
      try {
        await runGateway(gateway, signal);
      } finally {
        gateway.close();
      }
      return null;
    },
  );
}

/** Runs until `signal`; then stops taking work, lets what cannot be cut short end, and closes in reverse order. */
async function runGateway(gateway: Gateway, signal: AbortSignal): Promise<void> {
  const { config, log, store } = gateway;
  noteConfiguration(gateway);
  store.act('gateway', (note) => {
    note('gateway.started', 'gateway', { version });
  });
  const jobs = makeJobs(gateway, signal);
  // Set below, once there is something to trigger.
  let scanSoon = (): void => undefined;
  const watcher = await watchRoots(gateway.recordings, {
    signal,
    onOverlooked: () => {
      scanSoon();
    },
  });
  const reports = makeReports({ ...gateway, dataDir: config.data, timezone: config.site.timezone });
  const vault = makeVaultKeeper(gateway, signal);
  const deps = await apiDeps(gateway, { jobs, reports }, watcher, vault.wake);
  const server = createServer(makeApi(deps));
  try {
    await listen(server, config.api.host, config.api.port);
  } catch (error) {
    await watcher.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  log.info({ url: `http://${config.api.host}:${port}/` }, 'tredive is ready');
  const hooks = await listenForHooks(gateway, deps);

  // One thing at a time each: a sweep that takes long is never started twice, and a failure is said and tried again.
  const timers: Cron[] = [];
  const every = (name: string, minutes: number, work: () => Promise<unknown>): Promise<void> => {
    const attempt = async (): Promise<void> => {
      try {
        if (!signal.aborted) await work();
      } catch (error) {
        if (!signal.aborted) log.error({ err: toGatewayError(error) }, `${name} failed; it is tried again`);
      }
    };
    const seconds = Math.max(1, Math.round(minutes * 60));
    // The first time is now, below; the timer begins one interval later.
    const startAt = new Date(Date.now() + seconds * 1000).toISOString();
    timers.push(new Cron('* * * * * *', { interval: seconds, startAt, protect: true }, attempt));
    return attempt();
  };
  const sweep = async (): Promise<void> => {
    const result = await applyDeletions(gateway.retention, { signal });
    if (result.deleted > 0) log.info({ deleted: result.deleted, held: result.held }, 'retention sweep');
    if (result.refused !== null) log.error({ reason: result.refused }, 'retention sweep refused');
    else if (result.waiting !== null) log.error({ reason: result.waiting.detail }, 'a deletion waits for two persons');
    if (result.late > 0)
      log.error({ late: result.late, deleted: result.deleted }, 'footage had passed its legal limit at this sweep');
  };
  // What was recorded while the gateway was down is known before the first sweep judges it.
  const scan = onceAtATime(async () => {
    await scanRoots(gateway.recordings, { signal });
    await watcher.refresh();
  });
  const soon: { timer: NodeJS.Timeout | null } = { timer: null };
  scanSoon = () => {
    soon.timer ??= setTimeout(() => {
      soon.timer = null;
      // The one under way may have passed by already.
      if (scan.isRunning()) scanSoon();
      else {
        scan.run().catch((error: unknown) => {
          if (!signal.aborted) log.error({ err: toGatewayError(error) }, 'scan failed; it is tried again');
        });
      }
    }, scanSoonMs);
    soon.timer.unref();
  };
  // First of all, and not awaited: a recorder may delete what is held at any moment, and a large copy takes a while.
  void every('protecting what is held', 1, vault.run);
  await every('scan', config.recordings.rescanMinutes, scan.run);
  await every('retention sweep', config.retention.sweepMinutes, sweep);
  // A worker that was killed elsewhere leaves its request in the middle; its lease tells when nobody works on it any more.
  await every('clean-up', 1, async () => {
    await cleanUpAfterCrash(gateway.disclosure);
    retryTruncation(store.db);
  });
  void every('look at the data folder', 60, () => gateway.tidyDataFolder());
  await every('expiry of pictures', 10, () => Promise.resolve(prunePictures(gateway.pictures)));
  await every('expiry of packages', 60, async () => {
    await expirePackages(gateway.disclosure);
    removeExpiredSessions(store.db, store.clock.nowUs());
  });
  // After the first sweep, which deletes what fell due while the gateway was down. A walk of all roots takes a while: not awaited.
  void every('oldest frame on disk', 24 * 60, async () => {
    const seen = await gateway.findOldest(signal);
    await keepOldest(store, gateway.retention.marginUs, seen);
    if (!seen.ok)
      log.error(
        { problems: seen.problems.length, findings: seen.findings.length },
        'the disk has footage that it should not have, or cannot be read; see the tasks',
      );
  });
  // Looked for every hour, so that a gateway that was down at the start of the month makes it when it is back.
  void every('monthly report on deletion', 60, async () => {
    const month = lastMonth(store.clock.nowUs(), config.site.timezone);
    if (!(await reports.missing()).includes(month)) return;
    const { report } = await reports.make(month, 'gateway');
    log.info({ month, ...report.totals }, 'monthly report on deletion');
  });
  // Nobody looks at footage at this hour: for some seconds the gateway answers nobody.
  const rebuilding = new Cron(
    '0 3 * * *',
    {
      timezone: config.site.timezone,
      protect: true,
      catch: (error) => {
        log.error({ err: toGatewayError(error) }, 'the database was not written anew; it is tried again tomorrow');
      },
    },
    () => {
      rebuild(store.db);
    },
  );
  timers.push(rebuilding);
  if (config.discovery.enabled) {
    void every('camera discovery', config.discovery.everyMinutes, async () => {
      const found = await discoverCameras({ ...discoveryOptions(config), signal });
      const { problems } = registerDiscovered(store, found.cameras);
      for (const problem of [...found.problems, ...problems]) log.warn(problem, 'camera discovery');
    });
  }
  void every('measuring of clocks', config.clocks.everyMinutes, async () => {
    const { problems } = await measureClocks(store, { targetOf: clockTargets(config), signal });
    for (const problem of problems) log.warn(problem, 'clock of a camera');
  });
  jobs.resume();

  await new Promise<void>((stopped) => {
    if (signal.aborted) stopped();
    else
      signal.addEventListener(
        'abort',
        () => {
          stopped();
        },
        { once: true },
      );
  });
  log.info('stopping');
  for (const timer of timers) timer.stop();
  scanSoon = () => undefined;
  if (soon.timer !== null) clearTimeout(soon.timer);
  for (const one of [server, ...hooks]) {
    one.closeAllConnections();
    await new Promise((closed) => one.close(closed));
  }
  await watcher.close();
  await jobs.close();
  await vault.close();
  store.act('gateway', (note) => {
    note('gateway.stopped', 'gateway', {});
  });
}

/** The work, or what is left of it where it is under way: two callers wait for one run. */
function onceAtATime(work: () => Promise<void>): {
  readonly run: () => Promise<void>;
  readonly isRunning: () => boolean;
} {
  let running: Promise<void> | null = null;
  return {
    run: () =>
      (running ??= work().finally(() => {
        running = null;
      })),
    isRunning: () => running !== null,
  };
}

/**
 * Listens for recorders on the loopback interface of both families. Without it they are still followed, only later: a port that
 * is taken is said, and stops nothing.
 */
async function listenForHooks({ config, log }: Gateway, deps: ApiDeps): Promise<Server[]> {
  if (config.hook.port === 0) return [];
  const api = makeHookApi(deps, await readOrMakeSecret(config.data, hookSecret));
  const servers: Server[] = [];
  for (const host of hookHosts) {
    const server = createServer(api);
    try {
      await listen(server, host, config.hook.port, 'hook.port');
      servers.push(server);
    } catch (error) {
      const { code } = (error as Error).cause as NodeJS.ErrnoException;
      // No IPv6 on this machine.
      if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') continue;
      log.error(
        { err: toGatewayError(error), host },
        'recorders cannot announce segments; they are found by the watch',
      );
    }
  }
  return servers;
}

function listen(server: Server, host: string, port: number, key = 'api.port'): Promise<void> {
  return new Promise((ready, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      failed(
        error.code === 'EADDRINUSE'
          ? new GatewayError('conflict', `Port ${port} of ${host} is in use.`, {
              remedy: `Stop the other program, or set ${key}.`,
              cause: error,
            })
          : toGatewayError(error, `listening on ${host}:${port}`),
      );
    });
    server.listen(port, host, () => {
      ready();
    });
  });
}
