import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CameraCoverage, Coverage as CoverageOf } from '../../api/views.js';
import type { TimeRange } from '../../domain/segment.js';
import { Tag } from '../parts.js';
import { useTime } from '../session.js';

/** Per camera what is there, what is missing, what is there twice, and how far whole files reach beyond what was asked. */
export function Coverage({
  coverage,
  range,
  actions,
}: {
  coverage: CoverageOf;
  range: TimeRange;
  actions?: (camera: CameraCoverage) => ReactNode;
}): ReactNode {
  const { t } = useTranslation();
  return (
    <section className="card" aria-labelledby="coverage">
      <h2 id="coverage">{t('request.coverage')}</h2>
      {coverage.cameras.map((camera) => (
        <Camera key={camera.cameraId} camera={camera} range={range} action={actions?.(camera)} />
      ))}
    </section>
  );
}

/** More are only counted: nobody reads a list of hundreds. */
const listed = 20;

function Camera({ camera, range, action }: { camera: CameraCoverage; range: TimeRange; action: ReactNode }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const { disclosed, segments } = camera;
  const wider = disclosed !== null && (disclosed.startUs < range.startUs || disclosed.endUs > range.endUs);
  const count = (part: string): number => segments.filter((segment) => segment.part === part).length;
  const [primary, duplicates, substreams] = [count('primary'), count('duplicate'), count('sub-stream')];
  const standIns = partsOf(camera).filter((part) => part.kind === 'substream');
  const unsure = segments.filter((one) => one.part === 'primary' && one.timeQuality === 'disagreeing').length;
  const slow = segments.filter((one) => one.part === 'primary' && one.endUs > one.mediaEndUs).length;
  const lines = [
    ...camera.gaps.map((one) => ({ ...one, what: t('request.gap') })),
    ...camera.breaks.map(({ fromUs, untilUs, lost }) => ({
      ...{ startUs: Math.min(fromUs, untilUs), endUs: Math.max(fromUs, untilUs) },
      what: lost === null ? t('coverage.newStream') : t('coverage.lost', { count: lost }),
    })),
    ...camera.deleted.map((one) => ({ ...one, what: t('request.deleted') })),
    ...standIns.map((one) => ({ ...one, what: t('coverage.standsIn') })),
  ];
  return (
    <div className="item">
      <div className="tags" style={{ justifyContent: 'space-between' }}>
        <strong>{camera.cameraId}</strong>
        <span className="tags">
          {disclosed === null ? (
            <Tag tone="bad">{t('request.nothing')}</Tag>
          ) : (
            camera.gaps.length === 0 && <Tag tone="ok">{t('request.complete')}</Tag>
          )}
          {camera.gaps.length > 0 && disclosed !== null && (
            <Tag tone="warn">{t('coverage.gaps', { count: camera.gaps.length })}</Tag>
          )}
          {slow > 0 && <Tag tone="warn">{t('coverage.slow', { count: slow })}</Tag>}
          {unsure > 0 && <Tag tone="warn">{t('coverage.unsure', { count: unsure })}</Tag>}
          {action}
        </span>
      </div>
      <Strip parts={partsOf(camera)} range={range} />
      {duplicates + substreams > 0 && <Strip parts={copiesOf(camera, range)} range={range} />}
      <p className="soft small" style={{ margin: '2px 0 0' }}>
        {t('coverage.recordings', { count: primary })}
        {duplicates > 0 && `, ${t('coverage.duplicates', { count: duplicates })}`}
        {substreams > 0 && `, ${t('coverage.substreams', { count: substreams })}`}
        {duplicates + substreams > 0 && `: ${t('coverage.leftOut')}`}
      </p>
      <ul className="list small">
        {lines.slice(0, listed).map((line) => (
          <li key={`${line.what} ${line.startUs}`}>
            <strong>{line.what}:</strong> {time(line.startUs)} – {time(line.endUs)}
          </li>
        ))}
        {lines.length > listed && <li>{t('coverage.more', { count: lines.length - listed })}</li>}
      </ul>
      {wider && (
        <p className="soft small" style={{ margin: '6px 0 0' }}>
          {t('request.disclosed', { from: time(disclosed.startUs), to: time(disclosed.endUs) })} {t('request.outside')}.
        </p>
      )}
    </div>
  );
}

type Kind = 'recorded' | 'substream' | 'gap' | 'duplicate' | 'left-substream' | 'nothing';
type Part = TimeRange & { readonly kind: Kind };

/** Only repeats in a picture what is said in words below it. */
function Strip({ parts, range }: { parts: readonly Part[]; range: TimeRange }): ReactNode {
  const span = range.endUs - range.startUs;
  const thin = parts.some(
    (part) => part.kind === 'nothing' || part.kind === 'duplicate' || part.kind === 'left-substream',
  );
  return (
    <div className="strip" data-thin={thin} aria-hidden="true">
      {parts.map((part) => (
        <div
          key={part.startUs}
          data-part={part.kind}
          style={{ width: `${((part.endUs - part.startUs) / span) * 100}%` }}
        />
      ))}
    </div>
  );
}

/** The whole range in parts; cracks between two recordings count as what goes before. */
function partsOf({ cameraId, segments, shows, covered, gaps }: CameraCoverage): Part[] {
  const streams = new Map(segments.map((segment) => [segment.id, segment.streamId]));
  const shown = shows.map((one): Part => {
    const isMain = (streams.get(one.segmentId) ?? cameraId) === cameraId;
    return { startUs: one.startUs, endUs: one.endUs, kind: isMain ? 'recorded' : 'substream' };
  });
  const recorded = covered.flatMap((range) => {
    const inside = joined(
      // What is shorter than the tolerance of gaps is not worth a word.
      shown.filter(
        (one) => one.startUs < range.endUs && one.endUs > range.startUs && one.endUs - one.startUs > 500_000,
      ),
    );
    const [first = { ...range, kind: 'recorded' as const }, ...others] = inside;
    return [{ ...first, startUs: range.startUs }, ...others].map((one, index, all) => ({
      ...one,
      endUs: all[index + 1]?.startUs ?? range.endUs,
    }));
  });
  return [...recorded, ...gaps.map((gap): Part => ({ startUs: gap.startUs, endUs: gap.endUs, kind: 'gap' }))].sort(
    (a, b) => a.startUs - b.startUs,
  );
}

function joined(parts: readonly Part[]): Part[] {
  const result: Part[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (last?.kind === part.kind) result[result.length - 1] = { ...last, endUs: part.endUs };
    else result.push(part);
  }
  return result;
}

/** Where there are recordings that are not needed; of several at once the first counts. */
function copiesOf({ segments }: CameraCoverage, range: TimeRange): Part[] {
  const parts: Part[] = [];
  let reachedUs = range.startUs;
  for (const { part, startUs, endUs } of segments) {
    if (part !== 'duplicate' && part !== 'sub-stream') continue;
    const [from, to] = [Math.max(startUs, reachedUs), Math.min(endUs, range.endUs)];
    if (from >= to) continue;
    if (from > reachedUs) parts.push({ startUs: reachedUs, endUs: from, kind: 'nothing' });
    parts.push({ startUs: from, endUs: to, kind: part === 'duplicate' ? 'duplicate' : 'left-substream' });
    reachedUs = to;
  }
  if (reachedUs < range.endUs) parts.push({ startUs: reachedUs, endUs: range.endUs, kind: 'nothing' });
  return joined(parts);
}
