/**
 * The layouts there are. ADD A VMS HERE:
 *
 * 1. Where its paths are fields side by side: a file config/layouts/<name>.yaml with one template or several, and examples.
 *    Where they are not (a name of its own while open, a day without a time, a shared initialisation segment): a file beside
 *    this one that makes a `Layout`, and a line in `coded`. `kerberos.ts` is the shortest to learn from.
 * 2. A table in test/recordings/layouts/tables.ts: a test asks every layout for paths it reads, its open and companion names,
 *    near misses and hostile names, and both hours of a clock change where its names are local.
 * 3. A line in the table of the README. `tredive layouts ROOT` proposes it from then on.
 *
 * A layout reads names and nothing else: it opens no file, never throws, and answers for every string. Where the name leaves
 * something open (which of two hours, what time of day), it says so, and start-time.ts asks the other clocks.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { GatewayError, toGatewayError } from '../../errors.js';
import { frigate } from './frigate.js';
import { kerberos } from './kerberos.js';
import { firstMatching, type Layout, type LayoutOptions } from './layout.js';
import { templateLayout } from './template.js';
import { viseron } from './viseron.js';
import { zoneminder } from './zoneminder.js';

export { cameraIdOf } from './camera-id.js';
export { mediaExtensions } from './layout.js';
export type { Layout, LayoutMatch, LayoutMiss, NameTime } from './layout.js';

const coded: Readonly<Record<string, (options: LayoutOptions) => Layout>> = {
  frigate,
  kerberos,
  viseron,
  zoneminder,
};

/** Both `src` and `dist` lie beside `config`. */
const templateFolder = new URL('../../../config/layouts/', import.meta.url);

const item = z.union([
  z.string().min(1),
  z.strictObject({
    template: z.string().min(1),
    timezone: z.string().optional(),
    camera: z.string().min(1).optional(),
  }),
  z.strictObject({ name: z.string().min(1), timezone: z.string().optional(), camera: z.string().min(1).optional() }),
]);

/**
 * `layout:` of a root: a layout's name, a template or a name with options, or a list of these in which the first match wins.
 * `timezone` is that of names in local time and defaults to the site's; `camera` is for a root with one camera only.
 */
export const layoutConfig = z.union([item, z.array(item).min(1)]);
export type LayoutConfig = z.infer<typeof layoutConfig>;
/** What `layout: auto` is called: it asks for a proposal, and is none itself. */
export const auto = 'auto';
type LayoutItem = z.infer<typeof item>;

const templateFile = z.strictObject({
  about: z.string(),
  template: z.union([z.string(), z.array(z.string()).min(1)]),
  /** What the template must make of a path; checked by the tests with Europe/Copenhagen as the site's time zone. */
  examples: z.array(z.strictObject({ path: z.string(), camera: z.string(), start: z.string() })).min(1),
});
export type TemplateFile = z.infer<typeof templateFile>;

/** 2026-07-01T10:05:30Z */
const exampleUs = 1_782_900_330 * 1_000_000;

/** Names of the layouts in config/layouts. */
export const templateNames = (): string[] =>
  readdirSync(templateFolder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();

/** Names of all layouts. */
export const layoutNames = (): string[] => [...Object.keys(coded), ...templateNames()].sort();

/** Every layout with a path of it, for people to compare with what they have. */
export const describeLayouts = (): { name: string; example: string }[] =>
  layoutNames().map((name) => ({
    name,
    example: templateNames().includes(name)
      ? (readTemplateFile(name).examples[0]?.path ?? '')
      : layoutFromConfig(name, { siteTimezone: 'Europe/Copenhagen' }).encode('1', exampleUs),
  }));

/** One file of config/layouts. Throws `config-invalid` where it is not what it must be. */
export function readTemplateFile(name: string): TemplateFile {
  const place = new URL(`${name}.yaml`, templateFolder);
  try {
    return templateFile.parse(parse(readFileSync(place, 'utf8')));
  } catch (cause) {
    if (!(cause instanceof z.ZodError)) throw toGatewayError(cause, `Reading config/layouts/${name}.yaml`);
    throw new GatewayError('config-invalid', `config/layouts/${name}.yaml: ${z.prettifyError(cause)}`, {
      remedy: 'Compare it with the other files there.',
      cause,
    });
  }
}

function namedLayout(name: string, options: LayoutOptions): Layout {
  if (name === auto) {
    throw new GatewayError('config-invalid', 'Layout "auto" only proposes, and only for a whole root.', {
      remedy: 'Run "tredive layouts ROOT", and write what it says.',
    });
  }
  const make = Object.hasOwn(coded, name) ? coded[name] : undefined;
  if (make !== undefined) return make(options);
  if (!layoutNames().includes(name)) {
    throw new GatewayError('config-invalid', `There is no layout "${name}".`, {
      remedy: `Use ${layoutNames().join(', ')}, or { template: "%path/%Y-%m-%d_%H-%M-%S", timezone: UTC }.`,
    });
  }
  const file = readTemplateFile(name);
  const templates = typeof file.template === 'string' ? [file.template] : file.template;
  // Where the camera is given, its folder may be the root itself.
  const withoutFolder = templates.map((template) => template.replace(/^%(?:path|camera)\//, ''));
  const all = options.camera === undefined ? templates : [...new Set([...templates, ...withoutFolder])];
  const [first, ...rest] = all.map((template) => templateLayout(template, { ...options, name }));
  if (first === undefined) throw new GatewayError('internal', `Layout "${name}" has no template.`);
  return firstMatching(name, [first, ...rest]);
}

function oneLayout(config: LayoutItem, siteTimezone: string): Layout {
  if (typeof config === 'string') return namedLayout(config, { timeZone: siteTimezone });
  const options = { timeZone: config.timezone ?? siteTimezone, camera: config.camera };
  return 'template' in config ? templateLayout(config.template, options) : namedLayout(config.name, options);
}

/**
 * The layout of a root from its configuration. Throws `config-invalid` with a remedy for an unknown name or time zone and for
 * a template that cannot work.
 */
export function layoutFromConfig(config: LayoutConfig, site: { readonly siteTimezone: string }): Layout {
  if (!Array.isArray(config)) return oneLayout(config, site.siteTimezone);
  const [first, ...rest] = config.map((part) => oneLayout(part, site.siteTimezone));
  if (first === undefined) {
    throw new GatewayError('config-invalid', 'The list of layouts is empty.', { remedy: 'Name at least one.' });
  }
  return rest.length === 0
    ? first
    : firstMatching([first, ...rest].map((layout) => layout.name).join(' | '), [first, ...rest]);
}
