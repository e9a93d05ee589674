/**
 * ZoneMinder, Medium and Deep storage, in local time; the camera is the monitor's number.
 *
 * Medium (the default): `<monitor>/YYYY-MM-DD/<event>/<event>-video[.codec].mp4`. The name has the day alone, the time of day
 * is in ZoneMinder's database: another clock must tell it. Deep: `<monitor>/yy/mm/dd/HH/MM/SS/<event>-video[.codec].mp4`,
 * with a hidden link `yy/mm/dd/.<event>` to each event. No link is ever followed. Shallow: no time at all, refused.
 *
 * While it is recorded the file is `incomplete.<ext>`; since 1.39 both names exist for a moment, as links of one file. Its
 * stills are companions of the recording here: a monitor that stores nothing but JPEG files is not covered by this layout.
 */
import { usPerSecond, usToLocal, type Micros } from '../../domain/time.js';
import {
  mediaExtensions,
  miss,
  outside,
  readStem,
  type Layout,
  type LayoutMatch,
  type LayoutMiss,
  type LayoutOptions,
  type NameTime,
} from './layout.js';
import { readNameTime } from './template.js';

const medium = '(?<camera>\\d+)/(?<Y>\\d{4})-(?<m>\\d{2})-(?<d>\\d{2})/(?<event>\\d+)';
const deep = '(?<camera>\\d+)/(?<y>\\d{2})/(?<m>\\d{2})/(?<d>\\d{2})/(?<H>\\d{2})/(?<M>\\d{2})/(?<S>\\d{2})';
const video = '-video(?:\\.[A-Za-z0-9_-]+)?';
/** Stems of closed recordings, without extension. */
const closed = [new RegExp(`^${medium}/\\k<event>${video}$`), new RegExp(`^${deep}/\\d+${video}$`)];
/** Whole paths of open ones. */
const incomplete = `incomplete\\.(?:${mediaExtensions.join('|')})`;
const open = [new RegExp(`^${medium}/${incomplete}$`), new RegExp(`^${deep}/${incomplete}$`)];
const shallow = new RegExp(`^(?<camera>\\d+)/(?<event>\\d+)/\\k<event>${video}$`);

type Groups = Readonly<Record<string, string | undefined>>;

const firstOf = (forms: readonly RegExp[], text: string): Groups | undefined =>
  forms.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);

/** The day alone, for groups without an hour. */
function startOf(groups: Groups, timeZone: string): NameTime | string {
  if (groups['H'] !== undefined) return readNameTime(groups, timeZone);
  const noon = readNameTime({ ...groups, H: '12' }, 'UTC');
  if (typeof noon === 'string' || noon.kind !== 'utc') return noon;
  return { kind: 'date', fields: { ...usToLocal(noon.us, 'UTC').fields, hour: 0 }, timeZone };
}

export function zoneminder(options: LayoutOptions): Layout {
  const decode = (relativePath: string): LayoutMatch | LayoutMiss => {
    const problem = outside(relativePath);
    if (problem !== null) return problem;
    const opened = firstOf(open, relativePath);
    const file = opened === undefined ? readStem(relativePath) : null;
    if (file !== null && 'kind' in file) return file;
    const groups = opened ?? firstOf(closed, file?.stem ?? '');
    if (groups === undefined) {
      const camera = shallow.exec(file?.stem ?? '')?.groups?.['camera'];
      if (camera === undefined) return miss('foreign', 'does not look like <monitor>/YYYY-MM-DD/<event>/<event>-video');
      const detail = 'Shallow storage: no time in the name. Set the storage of ZoneMinder to Medium or Deep.';
      return miss('misnamed', detail, { camera: options.camera ?? camera });
    }
    const camera = options.camera ?? groups['camera'] ?? '';
    const start = startOf(groups, options.timeZone);
    if (typeof start === 'string') return miss('misnamed', start, { camera });
    const found: LayoutMatch = { kind: 'match', layout: 'zoneminder', camera, start };
    return opened === undefined ? found : { ...found, open: true };
  };
  /** Medium: the event's number is made of the instant, as its real one is in a database. */
  const encode = (camera: string, startUs: Micros, extension = 'mp4'): string => {
    const { year, month, day } = usToLocal(startUs, options.timeZone).fields;
    const two = (value: number): string => String(value).padStart(2, '0');
    const event = Math.floor(startUs / usPerSecond);
    return `${camera}/${year}-${two(month)}-${two(day)}/${event}/${event}-video.h264.${extension}`;
  };
  return { name: 'zoneminder', decode, encode };
}
