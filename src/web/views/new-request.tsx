import { Button, Radio, Select, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, CreatedView } from '../../api/views.js';
import type { RecipientKind } from '../../domain/camera.js';
import type { DisclosureGround } from '../../domain/disclosure.js';
import { formatUtc } from '../../domain/time.js';
import { call } from '../api.js';
import { Heading, Trouble } from '../parts.js';
import { goTo, hrefOf } from '../place.js';
import { useSession } from '../session.js';
import { CameraChoice, useRangeFields } from './scope-fields.js';

const groundNames: readonly DisclosureGround[] = ['police', 'consent', 'law'];

export function NewRequestView(): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const queries = useQueryClient();
  const cameras = useQuery({ queryKey: ['cameras'], queryFn: () => call<CamerasView>('/api/cameras') });
  const [ground, setGround] = useState<DisclosureGround>('police');
  const [kind, setKind] = useState<RecipientKind>('police');
  const [text, setText] = useState({ basis: '', name: '', contact: '', journal: '', purpose: '' });
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [tried, setTried] = useState(false);

  const rule = session.grounds[ground];
  const { range, fields } = useRangeFields(tried, t('form.tooLong'));
  const missing = (value: string): string | null => (tried && value.trim() === '' ? t('form.required') : null);
  const complete =
    [text.name, text.contact, text.journal, text.purpose, ...(rule.needsBasis ? [text.basis] : [])].every(
      (value) => value.trim() !== '',
    ) &&
    chosen.length > 0 &&
    range !== null;

  const create = useMutation({
    mutationFn: async () => {
      if (range === null) throw new Error(t('form.required'));
      const made = await call<CreatedView>('/api/requests', 'POST', {
        ground,
        legalBasis: rule.needsBasis ? text.basis : null,
        recipient: { kind, name: text.name, contact: text.contact },
        journalNumber: text.journal,
        purpose: text.purpose,
        cameraIds: chosen,
        from: formatUtc(range.startUs),
        to: formatUtc(range.endUs),
      });
      return made.request.id;
    },
    onSuccess: (id) => {
      void queries.invalidateQueries({ queryKey: ['requests'] });
      goTo(hrefOf.request(id));
    },
  });

  const write = (field: keyof typeof text) => (event: { currentTarget: { value: string } }) => {
    const { value } = event.currentTarget;
    setText((before) => ({ ...before, [field]: value }));
  };
  const unfit = (cameras.data?.cameras ?? []).filter(
    (camera) => chosen.includes(camera.cameraId) && !camera.policy.recipients.includes(kind),
  );

  return (
    <div className="stack" style={{ maxWidth: 760 }}>
      <div>
        <a href={hrefOf.requests}>‹ {t('app.back')}</a>
      </div>
      <div>
        <Heading>{t('form.title')}</Heading>
        <p className="soft" style={{ margin: '4px 0 0' }}>
          {t('form.intro')}
        </p>
      </div>
      <form
        className="card stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (complete) create.mutate();
        }}
      >
        <Radio.Group
          label={t('form.ground')}
          value={ground}
          onChange={(value) => {
            const next = groundNames.find((name) => name === value) ?? 'police';
            setGround(next);
            const { recipients } = session.grounds[next];
            if (!recipients.includes(kind)) setKind(recipients[0] ?? 'police');
          }}
        >
          {groundNames.map((name) => (
            <Radio key={name} mt={6} value={name} label={t(`requests.grounds.${name}`)} />
          ))}
        </Radio.Group>
        {rule.needsBasis && (
          <Textarea
            label={t('form.basis')}
            description={ground === 'consent' ? t('form.basisConsent') : t('form.basisLaw')}
            required
            autosize
            minRows={2}
            maxLength={2000}
            value={text.basis}
            error={missing(text.basis)}
            onChange={write('basis')}
          />
        )}
        <div className="pair">
          <Select
            label={t('form.kind')}
            allowDeselect={false}
            value={kind}
            onChange={(value) => {
              setKind(rule.recipients.find((one) => one === value) ?? kind);
            }}
            data={rule.recipients.map((value) => ({ value, label: t(`requests.kinds.${value}`) }))}
          />
          <TextInput
            label={t('form.name')}
            required
            maxLength={200}
            value={text.name}
            error={missing(text.name)}
            onChange={write('name')}
          />
        </div>
        <TextInput
          label={t('form.contact')}
          description={t('form.contactHelp')}
          required
          maxLength={500}
          value={text.contact}
          error={missing(text.contact)}
          onChange={write('contact')}
        />
        <TextInput
          label={t('form.journal')}
          required
          maxLength={200}
          value={text.journal}
          error={missing(text.journal)}
          onChange={write('journal')}
        />
        <Textarea
          label={t('form.purpose')}
          description={t('form.purposeHelp')}
          required
          autosize
          minRows={2}
          maxLength={2000}
          value={text.purpose}
          error={missing(text.purpose)}
          onChange={write('purpose')}
        />
        {fields}
        <CameraChoice
          cameras={cameras.data?.cameras ?? []}
          chosen={chosen}
          onChange={setChosen}
          help={t('form.camerasHelp')}
          error={
            unfit.length > 0
              ? t('form.recipientNot', { cameras: unfit.map((camera) => camera.label).join(', ') })
              : tried && chosen.length === 0
                ? t('form.required')
                : null
          }
          shownAs={({ label, policy }) => ({
            label: `${label} (${t(`cameras.classes.${policy.class}`)})`,
            disabled: !policy.mayRecord,
          })}
        />
        <Trouble error={cameras.error ?? create.error} />
        <div>
          <Button type="submit" loading={create.isPending}>
            {t('form.submit')}
          </Button>
        </div>
      </form>
    </div>
  );
}
