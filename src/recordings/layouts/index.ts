/** The layouts there are. A new VMS is a file beside this one and a line in `coded`, or a template in config/layouts. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { GatewayError, toGatewayError } from '../../errors.js';
import { frigate } from './frigate.js';
import { firstMatching, type Layout, type LayoutOptions } from './layout.js';
import { templateLayout } from './template.js';

export { cameraIdOf } from './camera-id.js';
export { mediaExtensions } from './layout.js';
export type { Layout, LayoutMatch, NameTime } from './layout.js';

const coded: Readonly<Record<string, (options: LayoutOptions) => Layout>> = {
  frigate,
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
type LayoutItem = z.infer<typeof item>;

const templateFile = z.strictObject({
  about: z.string(),
  template: z.union([z.string(), z.array(z.string()).min(1)]),
  /** What the template must make of a path; checked by the tests with Europe/Copenhagen as the site's time zone. */
  examples: z.array(z.strictObject({ path: z.string(), camera: z.string(), start: z.string() })).min(1),
});
export type TemplateFile = z.infer<typeof templateFile>;

/** Names of all layouts, for messages and for `doctor`. */
export function layoutNames(): string[] {
  const files = readdirSync(templateFolder).filter((file) => file.endsWith('.yaml'));
  return [...Object.keys(coded), ...files.map((file) => file.slice(0, -'.yaml'.length))].sort();
}

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
  const make = Object.hasOwn(coded, name) ? coded[name] : undefined;
  if (make !== undefined) return make(options);
  if (!layoutNames().includes(name)) {
    throw new GatewayError('config-invalid', `There is no layout "${name}".`, {
      remedy: `Use ${layoutNames().join(', ')}, or { template: "%path/%Y-%m-%d_%H-%M-%S", timezone: UTC }.`,
    });
  }
  const file = readTemplateFile(name);
  const templates = typeof file.template === 'string' ? [file.template] : file.template;
  const [first, ...rest] = templates.map((template) => templateLayout(template, { ...options, name }));
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
