/** Reads the configuration. config/gateway.yaml is its reference: a test holds every key and default there against this. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, resolve, sep } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { assertAudioBasis, assertPolicy, cameraAreas, cameraClasses, polcamStatuses } from './domain/camera.js';
import { minMarginUs } from './domain/retention.js';
import { GatewayError, toGatewayError } from './errors.js';
import { zonesForm } from './redaction/forms.js';
import { systemClock } from './platform/clock.js';
import { auto, layoutFromConfig } from './recordings/layouts/index.js';
import { proposeLayout } from './recordings/layouts/propose.js';

const id = z
  .string()
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N} ._~-]{0,79}$/u,
    'must start with a letter or digit and have at most 80 letters, digits, spaces, ".", "_", "~" or "-"',
  );

const timezone = z
  .string()
  .refine(isTimeZone, 'is not a time zone that this system knows, such as Europe/Copenhagen or UTC');

const template = z.strictObject({
  template: z.string().min(1),
  timezone: timezone.optional(),
  camera: id.optional(),
});
const named = z.strictObject({
  name: z.string().min(1),
  timezone: timezone.optional(),
  camera: id.optional(),
});
const layout = z.union([z.string().min(1), template, named]);

const schema = z.strictObject({
  site: z.strictObject({
    name: z.string().trim().min(1),
    timezone: timezone.default('Europe/Copenhagen'),
  }),
  data: z.string().min(1).default('./data'),
  roots: z
    .array(
      z.strictObject({
        id,
        path: z.string().min(1),
        layout: z.union([layout, z.array(layout).min(1)]),
        timezone: timezone.optional(),
        poll: z.enum(['auto', 'always', 'never']).default('auto'),
        seenAs: z
          .string()
          .min(1)
          .max(4000)
          .refine(
            (path) => !path.split('/').includes('..') && !path.includes('\0'),
            'must be a plain path without ".."',
          )
          .optional(),
        neverRewritten: z.boolean().default(false),
      }),
    )
    .min(1),
  cameras: z
    .array(
      z.strictObject({
        id,
        label: z.string().trim().min(1).optional(),
        class: z.enum(cameraClasses).default('crime-prevention'),
        // The limits are per class: checked after the form, with the class at hand.
        retentionDays: z.number().default(30),
        retentionReason: z.string().optional(),
        purpose: z.string().trim().min(1).optional(),
        area: z.enum(cameraAreas).default('unspecified'),
        signs: z.string().trim().min(1).max(1000).optional(),
        polcam: z.enum(polcamStatuses).default('unknown'),
        audio: z.boolean().default(false),
        audioBasis: z.string().trim().min(1).max(2000).optional(),
        substreams: z.array(id).max(16).default([]),
        zones: zonesForm.default([]),
        onvif: z
          .strictObject({
            address: z.string().min(1).optional(),
            serial: z.string().min(1).optional(),
            mac: z
              .string()
              .regex(/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i, 'must look like 00:11:22:aa:bb:cc')
              .optional(),
            user: z.string().min(1).optional(),
            passwordFile: z.string().min(1).optional(),
            tlsFingerprint: z.string().min(1).optional(),
          })
          .optional(),
      }),
    )
    .default([]),
  recordings: z
    .strictObject({
      quietSeconds: z.number().min(0).max(3600).default(5),
      rescanMinutes: z.number().min(1).max(1440).default(60),
    })
    .prefault({}),
  retention: z
    .strictObject({
      marginHours: z
        .number()
        .min(minMarginUs / 3_600_000_000)
        .max(15 * 24)
        .default(12),
      sweepMinutes: z.number().min(1).max(120).default(15),
      brakeHours: z.number().min(0.5).max(72).default(3),
      brakeFactor: z.number().min(1.5).max(10).default(2),
      timeService: z.enum(['wanted', 'required']).default('wanted'),
      confirmHours: z.number().min(0.5).max(24).default(4),
    })
    .prefault({}),
  redaction: z
    .strictObject({
      detector: z.string().min(1).default('active'),
      minScore: z.number().min(0.05).max(0.5).default(0.2),
      padding: z.number().min(0.03).max(1).default(0.06),
      detectionsPerSecond: z.number().min(1).max(30).default(6),
      workers: z.number().int().min(1).max(16).default(2),
      vehicles: z.boolean().default(false),
      style: z.enum(['solid', 'pixelate']).default('solid'),
    })
    .prefault({}),
  disclosure: z
    .strictObject({
      packageDays: z.number().min(1).max(30).default(7),
    })
    .prefault({}),
  vault: z.strictObject({ reserveGigabytes: z.number().min(0.1).max(100_000).default(10) }).prefault({}),
  stills: z
    .strictObject({
      keepHours: z.number().min(0.1).max(24).default(4),
      maxMegabytes: z.number().min(1).max(10_000).default(256),
    })
    .prefault({}),
  discovery: z
    .strictObject({
      enabled: z.boolean().default(true),
      seconds: z.number().min(0.5).max(60).default(3),
      everyMinutes: z.number().min(1).max(1440).default(60),
      targets: z.array(z.string().min(1)).default([]),
    })
    .prefault({}),
  clocks: z.strictObject({ everyMinutes: z.number().min(1).max(1440).default(60) }).prefault({}),
  audit: z
    .strictObject({
      origin: z
        .string()
        .regex(/^[^\s+]{1,100}$/, 'must be a short name without spaces or "+"')
        .optional(),
      anchors: z.array(z.string().min(1)).default([]),
      journals: z.array(z.string().min(1)).default([]),
    })
    .prefault({}),
  api: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: z.number().int().min(0).max(65535).default(8730),
      sessionHours: z.number().min(0.25).max(24).default(8),
      https: z.boolean().default(false),
    })
    .prefault({}),
  hook: z.strictObject({ port: z.number().int().min(0).max(65535).default(8731) }).prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
});

/** The configuration with defaults filled in and every path absolute. */
export type Config = z.output<typeof schema> & { readonly file: string };

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    // RangeError is how Intl says that it does not know the name.
    return false;
  }
}

type Path = readonly PropertyKey[];

/** Line of the value at `path`, or of the nearest parent that stands in the file; for an unknown key, of that key. */
function lineOf(document: Document, lines: LineCounter, path: Path, unknownKey?: string): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isMap(node) && unknownKey !== undefined) {
      const key = node.items.find((item) => isScalar(item.key) && item.key.value === unknownKey)?.key;
      if (isScalar(key) && key.range) return lines.linePos(key.range[0]).line;
    }
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    if (range) return lines.linePos(range[0]).line;
  }
  return 1;
}

const nameOf = (path: Path): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`))
    .join('');

/** The nearest known key, where one is near enough to be what was meant. */
function didYouMean(unknown: string, known: readonly string[]): string {
  const distance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, index) => index);
    for (let i = 1; i <= a.length; i += 1) {
      const next = [i];
      for (let j = 1; j <= b.length; j += 1) {
        next.push(
          Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
        );
      }
      row = next;
    }
    return row[b.length] ?? 0;
  };
  const [best] = [...known].sort(
    (a, b) => distance(unknown.toLowerCase(), a.toLowerCase()) - distance(unknown.toLowerCase(), b.toLowerCase()),
  );
  return best !== undefined && distance(unknown.toLowerCase(), best.toLowerCase()) <= 3
    ? ` Did you mean "${best}"?`
    : '';
}

/** Keys that the schema knows at `path`. */
function keysAt(path: Path): string[] {
  let node: unknown = schema;
  for (const part of path) {
    node = unwrap(node);
    if (node instanceof z.ZodArray) node = node.element;
    else if (node instanceof z.ZodObject) node = (node.shape as Record<string, unknown>)[String(part)];
  }
  node = unwrap(node);
  return node instanceof z.ZodObject ? Object.keys(node.shape) : [];
}

function unwrap(node: unknown): unknown {
  let inner = node;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional || inner instanceof z.ZodPrefault)
    inner = inner.unwrap();
  return inner;
}

/**
 * Reads and checks a configuration file. Throws `config-invalid` whose message has a line per fault, each with file, line,
 * key and what to do; nothing is started on a configuration that is half right.
 */
export function loadConfig(file: string): Config {
  const path = resolve(file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new GatewayError('config-invalid', toGatewayError(error, `reading the configuration ${path}`).message, {
      remedy: 'Name the file with --config FILE; config/gateway.yaml explains every key.',
      cause: error,
    });
  }
  return parseConfig(text, path);
}

/** As `loadConfig`, for text that is at hand; relative paths are relative to the folder of `file`. */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, maxAliasCount: 10 } as never);
  const faults: string[] = [];
  const fault = (line: number, what: string): void => void faults.push(`${file}:${line}: ${what}`);
  for (const error of document.errors)
    fault(lines.linePos(error.pos[0]).line, error.message.split('\n')[0] ?? 'is not YAML');
  if (faults.length > 0) throw invalid(faults);

  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 10 }) ?? {};
  } catch (error) {
    // The library throws where aliases multiply: a few lines of text that would fill the memory.
    throw invalid([`${file}:1: ${toGatewayError(error).message}. Write it without aliases.`]);
  }
  const parsed = schema.safeParse(content);
  if (!parsed.success) {
    for (const issue of flatten(parsed.error.issues)) {
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) {
          const hint = didYouMean(key, keysAt(issue.path));
          fault(
            lineOf(document, lines, issue.path, key),
            `unknown key "${nameOf([...issue.path, key])}".${hint} Remove or correct it.`,
          );
        }
      } else {
        fault(lineOf(document, lines, issue.path), `"${nameOf(issue.path) || 'the file'}": ${issue.message}`);
      }
    }
    throw invalid(faults);
  }

  const base = dirname(file);
  const config: Config = { ...parsed.data, file, data: resolve(base, parsed.data.data) };
  config.roots = config.roots.map((root) => ({ ...root, path: resolve(base, root.path) }));
  const { detector } = config.redaction;
  if (detector !== 'active' && detector !== 'centernet') {
    config.redaction = { ...config.redaction, detector: resolve(base, detector) };
  }
  config.audit = {
    ...config.audit,
    anchors: config.audit.anchors.map((anchor) => resolve(base, anchor)),
    journals: config.audit.journals.map((folder) => resolve(base, folder)),
  };
  config.cameras = config.cameras.map((camera) =>
    camera.onvif?.passwordFile === undefined
      ? camera
      : { ...camera, onvif: { ...camera.onvif, passwordFile: resolve(base, camera.onvif.passwordFile) } },
  );

  const at = (...path: Path): number => lineOf(document, lines, path);
  duplicates(config.roots.map((root) => root.id)).forEach((index) => {
    fault(
      at('roots', index, 'id'),
      `root id "${config.roots[index]?.id ?? ''}" is used twice. Give each root its own id.`,
    );
  });
  duplicates(config.cameras.map((camera) => camera.id)).forEach((index) => {
    fault(
      at('cameras', index, 'id'),
      `camera id "${config.cameras[index]?.id ?? ''}" is used twice. Give each camera its own id.`,
    );
  });
  const streams = config.cameras.flatMap((camera, index) => camera.substreams.map((stream) => ({ stream, index })));
  streams.forEach(({ stream, index }, order) => {
    const line = at('cameras', index, 'substreams');
    if (config.cameras.some((camera) => camera.id === stream)) {
      fault(line, `sub-stream "${stream}" is a camera of its own too. Take it out of one of the two.`);
    } else if (streams.findIndex((other) => other.stream === stream) < order) {
      fault(line, `sub-stream "${stream}" is named twice. It can only be of one camera.`);
    }
  });
  config.cameras.forEach((camera, index) => {
    try {
      assertPolicy({
        cameraId: camera.id,
        class: camera.class,
        retentionDays: camera.retentionDays,
        retentionReason: camera.retentionReason ?? null,
      });
    } catch (error) {
      const { message, remedy } = toGatewayError(error);
      fault(at('cameras', index, 'retentionDays'), `${message} ${remedy ?? ''}`.trim());
    }
    try {
      assertAudioBasis(camera.id, camera.audio, camera.audioBasis ?? null);
    } catch (error) {
      const { message, remedy } = toGatewayError(error);
      fault(at('cameras', index, 'audio'), `${message} ${remedy ?? ''}`.trim());
    }
  });
  config.roots.forEach((root, index) => {
    const siteTimezone = root.timezone ?? config.site.timezone;
    if (root.layout === auto) {
      if (rootProblem(root.path) === null) fault(at('roots', index, 'layout'), proposalFor(root.path, siteTimezone));
      return;
    }
    try {
      layoutFromConfig(root.layout, { siteTimezone });
    } catch (error) {
      const { message, remedy } = toGatewayError(error);
      fault(at('roots', index, 'layout'), `${message} ${remedy ?? ''}`.trim());
    }
  });
  const seen: { id: string; real: string }[] = [];
  config.roots.forEach((root, index) => {
    const problem = rootProblem(root.path);
    if (problem !== null) {
      fault(at('roots', index, 'path'), `root "${root.id}": ${root.path} ${problem}`);
      return;
    }
    const real = realpathSync(root.path);
    const other = seen.find(
      (one) => one.real === real || real.startsWith(one.real + sep) || one.real.startsWith(real + sep),
    );
    if (other !== undefined) {
      fault(
        at('roots', index, 'path'),
        `root "${root.id}" and root "${other.id}" lie in one another: a file would be known twice. Name one of them.`,
      );
    }
    seen.push({ id: root.id, real });
    // Copies made for a disclosure would be indexed as recordings, and the database lie where the VMS deletes.
    if ((realOf(config.data) + sep).startsWith(real + sep)) {
      fault(at('data'), `the data folder ${config.data} lies in root "${root.id}". Put it beside the recordings.`);
    }
  });
  if (faults.length > 0) throw invalid(faults);
  return config;
}

/** A root with `layout: auto` stops the start with what to write instead: a wrong layout is never taken unseen. */
function proposalFor(path: string, siteTimezone: string): string {
  const { line, why } = proposeLayout(path, { siteTimezone, nowUs: systemClock.nowUs() });
  const what = line === null ? 'no layout is proposed.' : `if this is right, write "${line}".`;
  return ['"auto" only proposes: ', what, ...why.map((reason) => `\n  ${reason}`)].join('');
}

type Issue = z.core.$ZodIssue;

/** A value that fits none of a union's forms is reported for the form that it comes nearest to. */
function flatten(issues: readonly Issue[], prefix: Path = []): Issue[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ ...issue, path }];
    const [nearest] = [...issue.errors].sort((a, b) => depth(b) - depth(a));
    return flatten(nearest ?? [], path);
  });
}
const depth = (issues: readonly Issue[]): number =>
  Math.max(...issues.map((issue) => issue.path.length), issues.some((i) => i.code === 'unrecognized_keys') ? 1 : 0);

const duplicates = (names: readonly string[]): number[] =>
  names.flatMap((name, index) => (names.indexOf(name) < index ? [index] : []));

/** Where a path that may not be made yet will lie, links followed. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there yet, or not to be read: opening it says what is wrong. What stands above it decides here.
    return dirname(path) === path ? path : resolve(realOf(dirname(path)), basename(path));
  }
}

function rootProblem(path: string): string | null {
  try {
    return statSync(path).isDirectory() ? null : 'is not a folder. Name the folder that the VMS records into.';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT')
      return 'does not exist. Correct the path, or mount it first: nothing is started without its roots.';
    return `cannot be read (${code}). Give the user that tredive runs as access to it.`;
  }
}

const invalid = (faults: readonly string[]): GatewayError =>
  new GatewayError('config-invalid', faults.join('\n'), {
    remedy: 'config/gateway.yaml in the program folder explains every key.',
  });
