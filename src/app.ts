/**
 * The composition root: builds everything in the order in which footage flows, and closes it in reverse. The only file that
 * sees every stage; commands and the server are given what it builds.
 */
import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { verifyAuditLog, type AuditReport } from './audit/verify.js';
import { applyConfiguredCameras } from './cameras/register.js';
import { registerFoundCamera } from './cameras/register-found.js';
import type { Config } from './config.js';
import type { DisclosureContext } from './disclosure/context.js';
import { cleanUpAfterCrash } from './disclosure/recovery.js';
import type { Actor } from './domain/audit-event.js';
import { canonicalHash, type Json } from './domain/canonical-json.js';
import type { DeletionReport } from './domain/deletion-report.js';
import { frontierRoot } from './domain/merkle.js';
import { hourUs } from './domain/retention-rules/index.js';
import { GatewayError, toGatewayError } from './errors.js';
import { writeReport } from './evidence/report-files.js';
import { fingerprint, publicPem } from './evidence/signature.js';
import { clockSynchronised } from './platform/clock-sync.js';
import { systemClock, type Clock } from './platform/clock.js';
import { readOrMakeKey, readPrivateKey } from './platform/keys.js';
import { makeLog, type Log } from './platform/log.js';
import { askFolder } from './platform/patience.js';
import { makeReserve } from './platform/reserve.js';
import { systemUptime } from './platform/uptime.js';
import { version } from './platform/version.js';
import { ageByContent, ageByName } from './recordings/age.js';
import type { RecordingsContext } from './recordings/context.js';
import { proposeConfigured } from './retention/policy.js';
import { prunePictures } from './recordings/pictures/cache.js';
import type { PictureContext } from './recordings/pictures/context.js';
import { buildReport } from './retention/report.js';
import { restoreFromJournal, type Restored } from './retention/restore.js';
import { makeJournalKeeper } from './retention/journal.js';
import { recoverDeletions } from './retention/recovery.js';
import type { RetentionContext } from './retention/context.js';
import type { VaultContext } from './retention/vault/context.js';
import { forgetFormerNames } from './retention/derived.js';
import { tidyDataFolder, type Tidied } from './retention/data-folder.js';
import { findOldest, type OldestOnDisk } from './retention/oldest.js';
import { countEvents, makeStore, readCheckpoints, readEntries, readFrontier, type Store } from './store/audit-log.js';
import { openDatabase, type Database } from './store/database.js';
import { layoutFromConfig } from './recordings/layouts/index.js';
import { putSeenRoots } from './recordings/roots.js';
import { manifestOf } from './redaction/detectors/installed.js';
import type { RedactionSettings } from './redaction/redact.js';

export interface Gateway {
  readonly config: Config;
  readonly log: Log;
  readonly store: Store;
  readonly recordings: RecordingsContext;
  readonly pictures: PictureContext;
  readonly retention: RetentionContext;
  readonly vault: VaultContext;
  /** The oldest frame on disk, by camera: walks every root and changes nothing. */
  findOldest(signal?: AbortSignal): Promise<OldestOnDisk>;
  readonly disclosure: DisclosureContext;
  /** Removes what crashed jobs left in the data folder, and says what is nobody's. */
  tidyDataFolder(): Promise<Tidied>;
  /** What was re-applied when it was opened, where the database had been put back from a backup; else null. */
  readonly restored: Restored | null;
  /** Writes the signed report on deletion of a month that is over into a folder, and notes its hash. Throws `usage`. */
  makeReport(
    month: string,
    folder: string,
    actor: Actor,
  ): Promise<{ readonly report: DeletionReport; readonly sha256: string }>;
  /** Public half of the key that signs reports and packages, as PEM. */
  readonly reportKeyPem: string;
  /** Public half of the key that signs the log. */
  readonly auditKey: KeyObject;
  verifyAudit(): AuditReport;
  close(): void;
}

/** Settings of redaction. Which model is in use is read where it is asked for: a running gateway takes a new one at its next analysis. */
export const redactionOf = (config: Config): RedactionSettings => ({
  ...config.redaction,
  get detector() {
    return manifestOf(config.redaction.detector, config.data);
  },
});

export interface OpenOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly signal?: AbortSignal;
  /** Open a database that was put back although the journal does not know what was deleted and held since. */
  readonly acceptLoss?: boolean;
}

/** Absolute paths that the configuration may put below the data folder, and that are not the gateway's to judge. */
export const placedInData = (config: Config): string[] => [
  config.file,
  ...config.roots.map(({ path }) => path),
  ...config.audit.anchors,
  ...config.audit.journals,
];

const databaseFile = (dataDir: string): string => join(dataDir, 'tredive.db');
const checkpointFile = (dataDir: string): string => join(dataDir, 'checkpoint.txt');

/** Name of the log in its checkpoints. Fixed by the first start: changing it would make another log of it. */
const originOf = (config: Config): string =>
  config.audit.origin ??
  `tredive/${
    config.site.name
      .normalize('NFKD')
      .replace(/[^\p{L}\p{N}]+/gu, '-')
      .replace(/^-+|-+$/g, '')
      .toLowerCase() || 'site'
  }`;

/**
 * Opens the gateway's data, finishes what a crash left undone, and brings the register in line with the configuration.
 * Nothing is served or planned before deletions and half-made packages are finished. Throws GatewayError.
 */
export async function openGateway(config: Config, options: OpenOptions = {}): Promise<Gateway> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? makeLog(config.log.level);
  const dataDir = config.data;
  const reserve = makeReserve(dataDir, log);
  const db = reserve.spend(() => openDatabase(databaseFile(dataDir)));
  try {
    const keys = openKeys(db, dataDir);
    const origin = readOrigin(db) ?? originOf(config);
    const store = makeStore(db, clock, { origin, privateKey: keys.audit });
    store.onCheckpoint((note) => {
      keepCheckpoint(dataDir, config.audit.anchors, note, log);
    });
    // Before anything is done with it: a database from a backup does not know what was deleted and held since.
    const places = { dataDir, copies: config.audit.journals };
    const rootPaths = new Map(config.roots.map((root) => [root.id, root.path]));
    const restored = restoreFromJournal({
      store,
      log,
      places,
      checkpointFile: checkpointFile(dataDir),
      anchors: config.audit.anchors,
      auditKey: createPublicKey(keys.audit),
      rootPath: (id) => rootPaths.get(id) ?? null,
      registerCamera: (note, cameraId, label) => {
        registerFoundCamera(store, note, cameraId, label);
      },
      acceptLoss: options.acceptLoss ?? false,
    });
    const keepJournal = makeJournalKeeper(db, places, log);
    store.onCheckpoint(keepJournal);
    if (countEvents(db) === 0) {
      store.act('gateway', (note) => {
        note('gateway.initialised', 'gateway', { origin, version });
      });
    }
    const { periods } = applyConfiguredCameras(store, config.cameras);

    const recordings: RecordingsContext = {
      store,
      log,
      roots: config.roots.map((root) => ({
        id: root.id,
        path: root.path,
        layout: layoutFromConfig(root.layout, { siteTimezone: root.timezone ?? config.site.timezone }),
        poll: root.poll,
        ...(root.seenAs !== undefined && { seenAs: root.seenAs }),
      })),
      quietMs: config.recordings.quietSeconds * 1000,
      ...(options.clock === undefined && { uptime: systemUptime }),
      registerCamera: (note, cameraId, label) => {
        registerFoundCamera(store, note, cameraId, label);
      },
    };
    await Promise.all(config.roots.map(({ path }) => askFolder(path)));
    putSeenRoots(recordings);
    const retention: RetentionContext = {
      // What retention writes down may use the room that is kept for it.
      store: { ...store, act: (actor, work) => reserve.spend(() => store.act(actor, work)) },
      reserve,
      log,
      dataDir,
      marginUs: Math.round(config.retention.marginHours * hourUs),
      rootPath: (id) => rootPaths.get(id) ?? null,
      brake: {
        floorUs: Math.round(config.retention.brakeHours * hourUs),
        factor: config.retention.brakeFactor,
        voteUs: Math.round(config.retention.confirmHours * hourUs),
      },
      // A clock that a test moves is not compared with the machine's own uptime.
      ...(options.clock === undefined && { uptime: systemUptime, synchronised: () => clockSynchronised() }),
      mustBeSynchronised: config.retention.timeService === 'required',
    };
    const rootPath = (id: string): string => {
      const path = rootPaths.get(id);
      if (path !== undefined) return path;
      throw new GatewayError('root-untrusted', `Root "${id}" is not in the configuration any more.`, {
        remedy: 'Put it back under "roots" for as long as its footage is needed.',
      });
    };
    const pictures: PictureContext = {
      store,
      log,
      dataDir,
      timezone: config.site.timezone,
      marginUs: retention.marginUs,
      rootPath,
      keepUs: Math.round(config.stills.keepHours * hourUs),
      maxBytes: Math.round(config.stills.maxMegabytes * 1e6),
    };
    const disclosure: DisclosureContext = {
      store,
      log,
      dataDir,
      site: config.site,
      rootPath,
      redaction: redactionOf(config),
      zonesOf: (cameraId) => config.cameras.find(({ id }) => id === cameraId)?.zones ?? [],
      packageDays: config.disclosure.packageDays,
      ...(options.clock === undefined && { synchronised: () => clockSynchronised() }),
      packageKey: keys.package,
      audit: { origin, privateKey: keys.audit },
      version,
    };

    keepJournal();
    proposeConfigured(retention, periods);
    await recoverDeletions(retention, { ...(options.signal && { signal: options.signal }) });
    await cleanUpAfterCrash(disclosure);
    prunePictures(pictures);
    const tidy = () => tidyDataFolder(retention, placedInData(config));
    await tidy();
    forgetFormerNames(retention);

    return {
      config,
      log,
      store,
      recordings,
      pictures,
      retention,
      vault: {
        ...retention,
        reserveBytes: Math.round(config.vault.reserveGigabytes * 1e9),
        neverRewritten: (id) => config.roots.some((root) => root.id === id && root.neverRewritten),
      },
      findOldest: (stop) =>
        findOldest({
          db,
          roots: recordings.roots.map((root) => ({
            id: root.id,
            path: root.path,
            ageByName: (path, nowUs) => ageByName(root, path, nowUs),
            ageByContent: (path, nowUs) => ageByContent(root, path, nowUs),
          })),
          marginUs: retention.marginUs,
          nowUs: clock.nowUs(),
          ...(stop && { signal: stop }),
        }),
      disclosure,
      tidyDataFolder: tidy,
      restored,
      makeReport: async (month, folder, actor) => {
        const report = await buildReport({
          db,
          month,
          nowUs: clock.nowUs(),
          marginUs: retention.marginUs,
          site: config.site,
          version,
          audit: { origin, keySha256: fingerprint(keys.audit) },
          reportKeySha256: fingerprint(keys.package),
        });
        const auditPublic = createPublicKey(keys.audit);
        const { sha256 } = await writeReport(folder, report, { report: keys.package, auditPublic });
        store.act(actor, (note) => {
          note('report.made', `report:${month}`, { sha256 });
        });
        return { report, sha256 };
      },
      reportKeyPem: publicPem(keys.package),
      auditKey: createPublicKey(keys.audit),
      verifyAudit: () => verifyAudit(db, config, createPublicKey(keys.audit)),
      close: () => {
        db.close();
      },
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Notes once per changed configuration that it was applied, by its hash: paths and names stay out of the log. */
export function noteConfiguration(gateway: Gateway): void {
  // As JSON has it: what is left out in the file is left out here.
  const hash = canonicalHash(JSON.parse(JSON.stringify({ ...gateway.config, file: '' })) as Json);
  gateway.store.act('gateway', (note) => {
    note('config.applied', 'gateway', { sha256: hash });
  });
}

function openKeys(db: Database, dataDir: string): { audit: KeyObject; package: KeyObject } {
  const auditPath = join(dataDir, 'keys', 'audit.pem');
  const packagePath = join(dataDir, 'keys', 'package.pem');
  mkdirSync(dirname(auditPath), { recursive: true, mode: 0o700 });
  // A log that exists is only ever continued with its own key.
  const read = countEvents(db) > 0 ? readPrivateKey : readOrMakeKey;
  return { audit: read(auditPath), package: read(packagePath) };
}

function readOrigin(db: Database): string | null {
  const [first] = readCheckpoints(db);
  return first?.note.split('\n', 1)[0] ?? null;
}

/**
 * Copies of the newest signed checkpoint outside the database, so that a rolled-back database is noticed. The copy in the
 * data folder is only the newest; the configured anchors, best on another machine, get every one.
 */
function keepCheckpoint(dataDir: string, anchors: readonly string[], note: string, log: Log): void {
  try {
    const partial = `${checkpointFile(dataDir)}.partial`;
    writeFileSync(partial, note);
    renameSync(partial, checkpointFile(dataDir));
    for (const anchor of anchors) {
      mkdirSync(dirname(anchor), { recursive: true });
      appendFileSync(anchor, `${JSON.stringify(note)}\n`);
    }
  } catch (error) {
    // The act itself is committed with its own checkpoint; a missing copy only weakens the proof, so it is said, not thrown.
    log.error({ err: toGatewayError(error) }, 'a copy of the audit checkpoint could not be written');
  }
}

const checkpointCopies = (config: Config): string[] => [checkpointFile(config.data), ...config.audit.anchors];

function readAnchors(config: Config): string[] {
  const notes: string[] = [];
  if (existsSync(checkpointFile(config.data))) notes.push(readFileSync(checkpointFile(config.data), 'utf8'));
  for (const anchor of config.audit.anchors) {
    if (!existsSync(anchor)) continue;
    for (const line of readFileSync(anchor, 'utf8').split('\n')) {
      if (line === '') continue;
      try {
        notes.push(String(JSON.parse(line)));
      } catch {
        // Not a line of ours: handed on as it is, so that the verification names it.
        notes.push(line);
      }
    }
  }
  return notes;
}

/** Checks the whole log with nothing but the database opened for reading and the public key. */
export function verifyAudit(db: Database, config: Config, publicKey: KeyObject): AuditReport {
  const read = db.transaction(() => {
    const edge = readFrontier(db);
    return verifyAuditLog(
      {
        entries: readEntries(db),
        checkpoints: readCheckpoints(db),
        anchors: readAnchors(config),
        frontierSize: edge.size,
        frontierRoot: frontierRoot(edge),
      },
      publicKey,
    );
  });
  const report = read();
  // A copy that was removed could contradict nothing any more: that it is gone is a finding itself.
  const gone = report.size === 0 ? [] : checkpointCopies(config).filter((file) => !existsSync(file));
  const problems = [...report.problems, ...gone.map((file) => `the copy of the checkpoints at ${file} is gone`)];
  return { ...report, ok: problems.length === 0, problems };
}

/** The database for reading alone, for commands that must change nothing. Throws where there is none yet. */
export function openForReading(config: Config): { db: Database; auditKey: KeyObject } {
  const path = databaseFile(config.data);
  if (!existsSync(path)) {
    throw new GatewayError('not-found', `There is no database in ${config.data} yet.`, {
      remedy: 'Run "tredive scan" or "tredive serve" first.',
    });
  }
  return {
    db: openDatabase(path, { readonly: true }),
    auditKey: createPublicKey(readPrivateKey(join(config.data, 'keys', 'audit.pem'))),
  };
}
