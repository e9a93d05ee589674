import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

const states = ['due', 'held', 'late', 'failing', 'frozen', 'quarantined', 'missing', 'stray', 'live-only'] as const;

/** For whoever asks what a word on this page means, what happens then, and who is told. */
export function States(): ReactNode {
  const { t } = useTranslation();
  return (
    <section className="card card-flush" aria-labelledby="states">
      <h2 id="states" style={{ margin: '16px 16px 8px' }}>
        {t('retention.states.title')}
      </h2>
      <table className="table" role="table">
        <thead role="rowgroup">
          <tr role="row">
            {(['state', 'what', 'who'] as const).map((column) => (
              <th key={column} role="columnheader" scope="col">
                {t(`retention.states.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {states.map((state) => (
            <tr key={state} role="row">
              <td role="cell">
                <strong>{t(`retention.states.rows.${state}.name`)}</strong>
              </td>
              <td role="cell" data-label={t('retention.states.what')}>
                {t(`retention.states.rows.${state}.what`)}
              </td>
              <td role="cell" data-label={t('retention.states.who')}>
                {t(`retention.states.rows.${state}.who`)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
