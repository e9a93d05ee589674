/** What every form on footage asks: from when to when, and of which cameras. */
import { Checkbox } from '@mantine/core';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { CameraView } from '../../api/views.js';
import type { TimeRange } from '../../domain/segment.js';
import { useSession } from '../session.js';
import { LocalTimeInput, meaningOf, noLocalTime } from './local-time.js';

const longestUs = 24 * 3_600_000_000;

interface RangeFields {
  /** Null while something is missing or wrong: the fields say what, once it was `tried`. */
  readonly range: TimeRange | null;
  readonly fields: ReactNode;
}

/** Two local times as a range of a day at most; `tooLong` is what is said of a longer one. */
export function useRangeFields(tried: boolean, tooLong: string): RangeFields {
  const { t } = useTranslation();
  const zone = useSession().site.timezone;
  const [from, setFrom] = useState(noLocalTime);
  const [to, setTo] = useState(noLocalTime);
  const [start, end] = [meaningOf(from, zone), meaningOf(to, zone)];
  const given = start.kind === 'instant' && end.kind === 'instant' ? { startUs: start.us, endUs: end.us } : null;
  const problem =
    given === null
      ? null
      : given.startUs >= given.endUs
        ? t('form.order')
        : given.endUs - given.startUs > longestUs
          ? tooLong
          : null;
  const unset = (meaning: typeof start): string | null =>
    tried && meaning.kind !== 'instant' ? t('form.required') : null;
  return {
    range: problem === null ? given : null,
    fields: (
      <div className="pair">
        <LocalTimeInput label={t('form.from')} value={from} onChange={setFrom} error={unset(start)} />
        <LocalTimeInput label={t('form.to')} value={to} onChange={setTo} error={problem ?? unset(end)} />
      </div>
    ),
  };
}

interface CameraChoiceProps {
  readonly cameras: readonly CameraView[];
  readonly chosen: readonly string[];
  readonly onChange: (chosen: string[]) => void;
  readonly help: string;
  readonly error: string | null;
  /** How a camera is shown, and whether it can be chosen at all. */
  readonly shownAs: (camera: CameraView) => { readonly label: string; readonly disabled?: boolean };
}

/** A sub-stream is not chosen: it comes with its camera. */
export function CameraChoice({ cameras, chosen, onChange, help, error, shownAs }: CameraChoiceProps): ReactNode {
  const { t } = useTranslation();
  return (
    <Checkbox.Group
      label={t('form.cameras')}
      description={help}
      required
      value={[...chosen]}
      onChange={onChange}
      error={error}
    >
      {cameras
        .filter((camera) => camera.substreamOf === null)
        .map((camera) => (
          <Checkbox key={camera.cameraId} mt={6} value={camera.cameraId} {...shownAs(camera)} />
        ))}
    </Checkbox.Group>
  );
}
