import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CameraCoverage, Coverage as CoverageOf } from '../../api/views.js';
import type { TimeRange } from '../../domain/segment.js';
import { Tag } from '../parts.js';
import { useTime } from '../session.js';

/** Per camera what is there, what is missing, and how far whole files reach beyond what was asked. */
export function Coverage({ coverage, range }: { coverage: CoverageOf; range: TimeRange }): ReactNode {
  const { t } = useTranslation();
  return (
    <section className="card" aria-labelledby="coverage">
      <h2 id="coverage">{t('request.coverage')}</h2>
      {coverage.cameras.map((camera) => (
        <Camera key={camera.cameraId} camera={camera} range={range} />
      ))}
    </section>
  );
}

function Camera({ camera, range }: { camera: CameraCoverage; range: TimeRange }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const span = range.endUs - range.startUs;
  const parts = stripParts(range, camera.gaps);
  const { disclosed } = camera;
  const wider = disclosed !== null && (disclosed.startUs < range.startUs || disclosed.endUs > range.endUs);
  return (
    <div className="item">
      <div className="tags" style={{ justifyContent: 'space-between' }}>
        <strong>{camera.cameraId}</strong>
        {disclosed === null ? (
          <Tag tone="bad">{t('request.nothing')}</Tag>
        ) : (
          camera.gaps.length === 0 && <Tag tone="ok">{t('request.complete')}</Tag>
        )}
      </div>
      <div className="strip" aria-hidden="true">
        {parts.map((part) => (
          <div
            key={part.startUs}
            data-part={part.kind}
            style={{ width: `${((part.endUs - part.startUs) / span) * 100}%` }}
          />
        ))}
      </div>
      <ul className="list small">
        {camera.gaps.map((gap) => (
          <li key={gap.startUs}>
            <strong>{t('request.gap')}:</strong> {time(gap.startUs)} – {time(gap.endUs)}
          </li>
        ))}
        {camera.deleted.map((gone) => (
          <li key={`deleted ${gone.startUs}`}>
            <strong>{t('request.deleted')}:</strong> {time(gone.startUs)} – {time(gone.endUs)}
          </li>
        ))}
      </ul>
      {wider && (
        <p className="soft small" style={{ margin: '6px 0 0' }}>
          {t('request.disclosed', { from: time(disclosed.startUs), to: time(disclosed.endUs) })} {t('request.outside')}.
        </p>
      )}
    </div>
  );
}

type Part = TimeRange & { readonly kind: 'recorded' | 'gap' };

function stripParts(range: TimeRange, gaps: readonly TimeRange[]): Part[] {
  const parts: Part[] = [];
  let reachedUs = range.startUs;
  for (const gap of gaps) {
    if (gap.startUs > reachedUs) parts.push({ kind: 'recorded', startUs: reachedUs, endUs: gap.startUs });
    parts.push({ kind: 'gap', startUs: gap.startUs, endUs: gap.endUs });
    reachedUs = gap.endUs;
  }
  if (reachedUs < range.endUs) parts.push({ kind: 'recorded', startUs: reachedUs, endUs: range.endUs });
  return parts;
}
