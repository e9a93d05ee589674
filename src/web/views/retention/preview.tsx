import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { RetentionPreview } from '../../../domain/retention-change.js';
import { Tag } from '../../parts.js';
import { useHours } from '../../session.js';
import { showBytes } from '../../time.js';

/** What a shorter period deletes, and what a hold keeps of it. */
export function Preview({ preview }: { preview: RetentionPreview }): ReactNode {
  const { t, i18n } = useTranslation();
  const hours = useHours();
  return (
    <>
      {preview.segments === 0
        ? t('retention.changes.deletesNothing')
        : t('retention.changes.deletesOf', {
            files: t('retention.sweep.files', { count: preview.segments }),
            hours: hours(preview.footageUs),
            size: showBytes(preview.sizeBytes, i18n.language),
          })}
      {preview.held > 0 && (
        <div>
          <Tag tone="hold">{t('retention.changes.heldMore', { count: preview.held })}</Tag>
        </div>
      )}
    </>
  );
}
