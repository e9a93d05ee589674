/**
 * The brake: a sweep that would delete far more of a camera than sweeps of it do waits for two persons. A clock that is wrong,
 * a wrong period, a wrong layout all look like this, and none of them can be undone. Pure; footage is in microseconds of film.
 */

export interface BrakeSettings {
  /** Less than this is never far more than usual. */
  readonly floorUs: number;
  /** How many times the usual is far more. */
  readonly factor: number;
  /** How long a yes counts. */
  readonly voteUs: number;
}

/** How many sweeps of a camera are remembered, and how many it takes to say what is usual. */
export const sweepsRemembered = 20;
const enoughSweeps = 3;

/**
 * What is usual for a sweep that deletes something of a camera: the median, which one confirmed catch-up does not move. With
 * less than three sweeps nothing is usual yet. `history` in any order.
 */
export function usualUs(history: readonly number[]): number {
  if (history.length < enoughSweeps) return 0;
  const sorted = [...history].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? 0;
}

/** What of a camera is due, in roots that are believed, without what an earlier sweep had begun. */
export interface DueFootage {
  readonly segments: number;
  readonly footageUs: number;
  /** Start of the oldest and of the newest of them. */
  readonly oldestUs: number;
  readonly newestUs: number;
}

/** What two persons said yes to, and what is due of that, and beyond it, now. */
export interface ShownFootage {
  readonly shown: Pick<DueFootage, 'segments' | 'footageUs'>;
  readonly within: Pick<DueFootage, 'segments' | 'footageUs'>;
  readonly beyondUs: number;
}

export interface WeighedCamera {
  readonly cameraId: string;
  readonly due: DueFootage;
  /** Footage that each of the last sweeps deleted of it. */
  readonly history: readonly number[];
  /** Null where nothing was shown of it. */
  readonly shown: ShownFootage | null;
}

export interface Weight {
  readonly cameraId: string;
  readonly usualUs: number;
  readonly limitUs: number;
  /** Nothing of it is deleted. */
  readonly waits: boolean;
  /** It is over the limit, and goes because two persons said so, or because it is the first sweep of it and may. */
  readonly because: 'confirmed' | 'first' | null;
}

/** Whether what was shown is still what is due: what fell due since is an ordinary sweep's, and nothing was added before it. */
export const isCovered = ({ shown, within, beyondUs }: ShownFootage, limitUs: number): boolean =>
  within.segments <= shown.segments && within.footageUs <= shown.footageUs && beyondUs <= limitUs;

/**
 * Which cameras wait. Each is held against its own history, so that one that was away for a week does not keep the footage of
 * all others beyond its limit. Where half of those that have something to delete would wait, all of them do: that is what a
 * wrong clock looks like, and a camera with little footage would lose all of it under its own limit.
 *
 * One segment alone is never too much: a recorder of long files would wait at each of them.
 */
export function weigh(
  cameras: readonly WeighedCamera[],
  settings: BrakeSettings,
  allowed: { readonly confirmed: boolean; readonly first: boolean },
): Weight[] {
  const weights = cameras.map(({ cameraId, due, history, shown }) => {
    const usual = usualUs(history);
    const limitUs = Math.max(settings.floorUs, Math.round(settings.factor * usual));
    const over = due.segments > 1 && due.footageUs > limitUs;
    const confirmed = allowed.confirmed && shown !== null && isCovered(shown, limitUs);
    const first = allowed.first && history.length === 0;
    const because = !over ? null : confirmed ? ('confirmed' as const) : first ? ('first' as const) : null;
    return { cameraId, usualUs: usual, limitUs, waits: over && because === null, because, agreed: confirmed || first };
  });
  const undecided = weights.filter(({ agreed }) => !agreed);
  const all = undecided.filter(({ waits }) => waits).length * 2 >= undecided.length;
  return weights.map(({ agreed, ...weight }) => ({ ...weight, waits: weight.waits || (all && !agreed) }));
}
