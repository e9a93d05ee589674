import { Alert, Button, Radio, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, HoldsView, PlacedView } from '../../api/views.js';
import { groundsOf, wideness } from '../../domain/hold.js';
import { factFields, type FactField, type HoldFacts } from '../../domain/hold-facts.js';
import { formatUtc } from '../../domain/time.js';
import { call } from '../api.js';
import { Heading, Trouble } from '../parts.js';
import { hrefOf } from '../place.js';
import { useTime } from '../session.js';
import { inDays } from './hold-acts.js';
import { CameraChoice, useRangeFields } from './scope-fields.js';

const grounds = Object.keys(factFields) as HoldFacts['ground'][];
const enough = (text: string): boolean => text.trim().length >= 10;

export function NewHoldView(): ReactNode {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const cameras = useQuery({ queryKey: ['cameras'], queryFn: () => call<CamerasView>('/api/cameras') });
  const holds = useQuery({ queryKey: ['holds'], queryFn: () => call<HoldsView>('/api/holds') });
  const [ground, setGround] = useState<HoldFacts['ground']>('reported-offence');
  const [facts, setFacts] = useState<Partial<Record<FactField, string>>>({});
  const [text, setText] = useState({ reason: '', wideReason: '', days: '90' });
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [tried, setTried] = useState(false);
  const { range, fields } = useRangeFields(tried, t('holds.form.tooLong'));

  const wide = range !== null && wideness(range, chosen.length).length > 0;
  const unfit = (cameras.data?.cameras ?? []).filter(
    (camera) =>
      chosen.includes(camera.cameraId) &&
      !groundsOf(camera.policy.class, holds.data?.enabled.map((one) => one.ground) ?? []).includes(ground),
  );
  const factsGiven = factFields[ground].every((field) => (facts[field] ?? '').trim() !== '');
  const complete =
    factsGiven &&
    (ground !== 'dispute' || enough(facts.description ?? '')) &&
    /^[1-9]\d?$/.test(text.days.trim()) &&
    text.reason.trim().length >= 3 &&
    (!wide || enough(text.wideReason)) &&
    chosen.length > 0 &&
    unfit.length === 0 &&
    holds.data !== undefined &&
    range !== null;

  const place = useMutation({
    mutationFn: () => {
      if (range === null || holds.data === undefined) throw new Error(t('form.required'));
      return call<PlacedView>('/api/holds', 'POST', {
        facts: { ground, ...Object.fromEntries(factFields[ground].map((field) => [field, facts[field] ?? ''])) },
        reason: text.reason,
        wideReason: wide ? text.wideReason : null,
        cameraIds: chosen,
        from: formatUtc(range.startUs),
        to: formatUtc(range.endUs),
        review: inDays(holds.data.nowUs, text.days),
      });
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ['holds'] }),
  });

  const missing = (value: string, least = 1): string | null => {
    if (!tried || value.trim().length >= least) return null;
    return value.trim() === '' || least < 10 ? t('form.required') : t('holds.form.short');
  };
  const write = (field: keyof typeof text) => (event: { currentTarget: { value: string } }) => {
    const { value } = event.currentTarget;
    setText((before) => ({ ...before, [field]: value }));
  };
  if (place.data !== undefined) return <Placed placed={place.data} />;
  return (
    <div className="stack" style={{ maxWidth: 760 }}>
      <div>
        <a href={hrefOf.holds}>‹ {t('holds.back')}</a>
      </div>
      <div>
        <Heading>{t('holds.form.title')}</Heading>
        <p className="soft" style={{ margin: '4px 0 0' }}>
          {t('holds.form.intro')}
        </p>
      </div>
      <form
        className="card stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (complete) place.mutate();
        }}
      >
        <Radio.Group
          label={t('holds.ground')}
          value={ground}
          onChange={(value) => {
            setGround(grounds.find((name) => name === value) ?? ground);
          }}
        >
          {grounds.map((name) => (
            <Radio key={name} mt={6} value={name} label={t(`holds.grounds.${name}`)} />
          ))}
        </Radio.Group>
        <div className="pair" role="group" aria-label={t('holds.form.facts')}>
          {factFields[ground].map((field) => (
            <TextInput
              key={`${ground} ${field}`}
              label={t(`holds.facts.${field}`)}
              type={field.endsWith('On') ? 'date' : 'text'}
              required
              maxLength={field === 'description' ? 2000 : 200}
              value={facts[field] ?? ''}
              error={missing(facts[field] ?? '', field === 'description' ? 10 : 1)}
              onChange={({ currentTarget: { value } }) => {
                setFacts((before) => ({ ...before, [field]: value }));
              }}
            />
          ))}
        </div>
        <Textarea
          label={t('holds.form.reason')}
          required
          autosize
          minRows={2}
          maxLength={2000}
          value={text.reason}
          error={missing(text.reason, 3)}
          onChange={write('reason')}
        />
        {fields}
        <CameraChoice
          cameras={cameras.data?.cameras ?? []}
          chosen={chosen}
          onChange={setChosen}
          help={t('holds.form.camerasHelp')}
          error={
            unfit.length > 0
              ? t('holds.form.notFor', { cameras: unfit.map((camera) => camera.label).join(', ') })
              : tried && chosen.length === 0
                ? t('form.required')
                : null
          }
          shownAs={({ label, policy }) => ({
            label: `${label} (${t(`cameras.classes.${policy.class}`)})`,
            disabled: !policy.mayRecord,
          })}
        />
        {wide && holds.data !== undefined && (
          <Alert variant="outline" color="dark.7" title={t('holds.form.wide', holds.data.wide)}>
            <Textarea
              label={t('holds.form.wideReason')}
              description={t('holds.form.wideHelp')}
              required
              autosize
              minRows={2}
              maxLength={2000}
              value={text.wideReason}
              error={missing(text.wideReason, 10)}
              onChange={write('wideReason')}
            />
          </Alert>
        )}
        <TextInput
          label={t('holds.form.review')}
          description={t('holds.form.reviewHelp')}
          type="number"
          min={1}
          max={90}
          required
          style={{ maxWidth: 260 }}
          value={text.days}
          error={tried && !/^[1-9]\d?$/.test(text.days.trim()) ? t('holds.act.daysHelp') : null}
          onChange={write('days')}
        />
        <Trouble error={cameras.error ?? holds.error ?? place.error} />
        <div>
          <Button type="submit" loading={place.isPending}>
            {t('holds.form.submit')}
          </Button>
        </div>
      </form>
    </div>
  );
}

/** What is held and, as plainly, what is not. */
function Placed({ placed }: { placed: PlacedView }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  return (
    <div className="stack" style={{ maxWidth: 760 }}>
      <Heading>{t('holds.placedTitle')}</Heading>
      <div className="card stack" role="status">
        <Text>{t('holds.keeps', { from: time(placed.keeps.startUs), to: time(placed.keeps.endUs) })}</Text>
        {placed.gone.length > 0 && (
          <Alert variant="outline" color="red.9" title={t('holds.gone')}>
            <ul style={{ margin: 0, paddingLeft: 20 }}>
              {placed.gone.map((part) => (
                <li key={`${part.cameraId} ${part.startUs} ${part.what}`}>
                  {part.cameraId}, {time(part.startUs)} – {time(part.endUs)}: {t(`holds.goneWhat.${part.what}`)}
                </li>
              ))}
            </ul>
          </Alert>
        )}
        <div>
          <Button component="a" href={hrefOf.holds}>
            {t('holds.back')}
          </Button>
        </div>
      </div>
    </div>
  );
}
