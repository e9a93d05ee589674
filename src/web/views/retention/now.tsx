/** How retention stands now: the first figure, what waits for people, clock and sweep, and each camera. */
import type { ReactNode } from 'react';
import { Trouble, Waiting } from '../../parts.js';
import { CameraTable } from './camera-table.js';
import { ClockCard } from './clock.js';
import { FirstFigure } from './first-figure.js';
import { useCameras, useOverview } from './queries.js';
import { States } from './states.js';
import { SweepCard } from './sweep.js';
import { Tasks } from './tasks.js';
import { WaitingDeletion } from './waiting.js';

export function Now(): ReactNode {
  const overview = useOverview();
  const cameras = useCameras();
  const retry = (): void => {
    void overview.refetch();
    void cameras.refetch();
  };
  return (
    <>
      <Trouble error={overview.error ?? cameras.error} retry={retry} />
      {(overview.isPending || cameras.isPending) && <Waiting />}
      {overview.data !== undefined && cameras.data !== undefined && (
        <>
          <FirstFigure overview={overview.data} cameras={cameras.data} />
          <WaitingDeletion overview={overview.data} cameras={cameras.data} />
          <div className="pair" style={{ alignItems: 'stretch' }}>
            <ClockCard overview={overview.data} />
            <SweepCard overview={overview.data} cameras={cameras.data} />
          </div>
          <CameraTable overview={overview.data} cameras={cameras.data} />
          <Tasks cameras={cameras.data} />
          <States />
        </>
      )}
    </>
  );
}
