/**
 * Who is where in every frame, with the near future known: a frame's masks are settled only when the detector and the motion
 * model have seen what comes in the seconds after it. Works through a video of any length in bounded memory: only knots stay.
 *
 *   see / notice  -> chains grow (track-association), are followed where nobody detects them (track-follow)
 *   settle        -> what lies `lookaheadS` back becomes final: its boxes are written to the paths (track-path)
 *   finish        -> the paths are the tracks
 *
 * Pure: the same calls give the same tracks.
 */
import { knotLength, pointAt, type Box, type Track, type UncertainSpan } from '../domain/redaction-plan.js';
import type { MotionLook } from '../platform/native.js';
import type { Detection } from './detectors/detector.js';
import { extendBackwards, joinAcrossPauses, see, type Look } from './track-association.js';
import { firstOf, isThing, lastOf, type Chain, type Moment } from './track-chain.js';
import { addDoubt, doubtsOf, noteDoubts } from './track-doubts.js';
import { followOn, notePresence, traceBack } from './track-follow.js';
import { atEdge, boxOf, union, type Edges } from './track-geometry.js';
import { coverOf, explainedBy, gridOf, unexplainedShare, type Grid } from './track-motion.js';
import { openPath, type TrackPath } from './track-path.js';
import { createSchedule } from './track-schedule.js';
import { believedAt } from './track-shape.js';
import { doubtOf, seeUnexplained, unexplainedAt, type MotionChain } from './track-unexplained.js';

export interface TrackerSettings {
  /** From this score on a detection begins a track; weaker ones only lengthen a track that is there. */
  readonly minScore: number;
  /** Added on the left and on the right of a box, as a share of its width; a part of it above and below. */
  readonly padding: number;
  /** Looks of the detector, at most. */
  readonly detectionsPerSecond: number;
  /** Vehicles are masked too. */
  readonly vehicles: boolean;
}

/** The upright picture, full size, in pixels. */
export interface TrackedPicture {
  readonly width: number;
  readonly height: number;
  /** Seconds since the first frame, ascending. Asked only for frames up to that of the last tick. */
  readonly timeOf: (frame: number) => number;
}

export interface Tick extends Moment {
  /** In pixels of the picture; null where the detector did not look. */
  readonly detections: readonly Detection[] | null;
}

export interface MaskedBox {
  readonly trackId: number;
  readonly kind: Track['kind'];
  /** Padded. */
  readonly box: Box;
}

export interface Tracker {
  /** In order of time. Returns where people are believed to be in that frame: the motion model must not learn there. */
  see(tick: Tick): readonly Box[];
  /** What is not the empty scene in the frame just seen; null where there is no motion model. Called right after `see`. */
  notice(motion: MotionLook | null): void;
  /** Whether the detector should look at the tick at `timeS`, judged from what was seen so far. Asked once a tick, in order. */
  wantsDetection(timeS: number): boolean;
  /** Masks of all frames below this are final. */
  readonly finalFrames: number;
  /** What is masked in a frame below `finalFrames`. Asked for in ascending order. */
  boxesIn(frame: number): readonly MaskedBox[];
  /** No more looks: everything is final. Tracks are numbered from 1 in order of their first frame. */
  finish(): readonly Track[];
}

interface Output {
  readonly id: number;
  readonly kind: Track['kind'];
  readonly path: TrackPath;
  readonly of: { readonly closed: boolean };
  readonly doubts: (firstFrame: number, lastFrame: number) => UncertainSpan[];
}

/** A tick that is not final. */
interface Pending extends Moment {
  grid: Grid | null;
  /** What nobody explains was sought in it. */
  searched: boolean;
}

/** Sightings so long before what is final are not needed any more. */
const rememberS = 2;
/** Unexplained motion is sought so long before a frame is final: then who was there is known, and flicker has shown itself. */
const searchAheadS = 0.7;
/** From this score on a vehicle explains motion, masked or not. */
const sureVehicle = 0.5;
/** Where so much of the picture is foreground that nobody explains, it is the camera that moved. */
const hopelessShare = 0.25;
/** Without a sighting, and without anything there, for so long, nobody is believed to be there any more. */
const believedS = 0.7;
/** A detector knows the height of a person three times as exactly as the width: of the padding, so much does above and below. */
const heightPadding = 0.3;
/** Of what the seen part of somebody at the upper or lower edge is less high than broad, so much is added on each side. */
const edgeBreadth = 0.15;

export function createTracker(picture: TrackedPicture, settings: TrackerSettings, lookaheadS = 2): Tracker {
  let chains: Chain[] = [];
  let unexplained: MotionChain[] = [];
  let looks: Look[] = [];
  const ticks: Pending[] = [];
  let newest: Pending | null = null;
  let lookCount = 0;
  let finalFrames = 0;
  /** Frames that lie further back than the lookahead. */
  let oldFrames = 0;
  const outputs: Output[] = [];
  /** Outputs that may still have a box in a frame that is asked for. */
  let current: Output[] = [];
  let tracks: readonly Track[] | null = null;
  const schedule = createSchedule(settings.detectionsPerSecond);

  /** Pixels on either side of somebody cut by the upper or lower edge, of whom little more than the head or the feet is seen. */
  function broaderThanSeen(edges: Edges): number {
    const isCut = atEdge([0, edges[1], 0, edges[3]], picture);
    const seen = Math.min(edges[3], picture.height) - Math.max(edges[1], 0);
    return isCut ? edgeBreadth * Math.max(0, edges[2] - edges[0] - Math.max(0, seen)) : 0;
  }

  function padded(edges: Edges, chain?: Chain): Edges {
    if (chain !== undefined && isThing(chain)) return edges;
    const [left, top, right, bottom] = edges;
    const dx = (right - left) * settings.padding + broaderThanSeen(edges);
    const dy = (bottom - top) * settings.padding * heightPadding;
    return [left - dx, top - dy, right + dx, bottom + dy];
  }

  function begin(kind: Track['kind'], of: Output['of'], doubts: Output['doubts']): Output {
    const output = { id: outputs.length + 1, kind, path: openPath(), of, doubts };
    outputs.push(output);
    current.push(output);
    return output;
  }

  /** What explains motion in a frame, chain by chain. */
  const explaining = (at: Moment): (Edges | null)[] =>
    chains.map((chain) => {
      if (chain.kind === 'vehicle' && !settings.vehicles && chain.record.bestScore < sureVehicle) return null;
      return believedAt(chain, at, picture)?.edges ?? null;
    });

  function settle(at: Moment): void {
    for (const chain of chains) {
      const goesOn = chain.output !== null && lastOf(chain).frame > at.frame;
      // What has begun goes on at least to its first sighting, whatever was learnt of its motion meanwhile.
      const believed = believedAt(chain, at, picture) ?? (goesOn ? believedAt(chain, firstOf(chain), picture) : null);
      if (believed === null) {
        if (lastOf(chain).frame < at.frame) chain.closed = true;
        continue;
      }
      if (chain.kind === 'vehicle' && !settings.vehicles) continue;
      const beside = chain.beside.get(at.frame);
      const own = padded(believed.edges, chain);
      chain.output ??= begin(chain.kind, chain, (first, last) => doubtsOf(chain, first, last, picture));
      chain.output.path.add(at.frame, beside === undefined ? own : union(own, beside), believed.score, believed.source);
      noteDoubts(chain, at, believed, picture);
    }
    for (const chain of unexplained) {
      const edges = chain.confirmed ? unexplainedAt(chain, at) : null;
      if (edges === null) {
        if ((chain.places.at(-1)?.frame ?? 0) < at.frame) chain.closed = true;
        continue;
      }
      chain.output ??= begin('motion', chain, doubtOf);
      chain.output.path.add(at.frame, padded(edges), 0, 'motion');
    }
    chains = chains.filter((chain) => !chain.closed);
    unexplained = unexplained.filter((chain) => !chain.closed);
    finalFrames = at.frame + 1;
    for (const chain of chains) forget(chain, at);
    for (const { places } of unexplained) {
      // The last one before what is final is needed for what lies between.
      while ((places[1]?.frame ?? Infinity) < finalFrames) places.shift();
    }
  }

  function forget(chain: Chain, final: Moment): void {
    let keep = 0;
    const { sightings } = chain;
    while (keep + 2 < sightings.length && (sightings[keep + 1]?.timeS ?? Infinity) < final.timeS - rememberS) keep += 1;
    for (const past of sightings.slice(0, keep)) chain.shapes.delete(past);
    if (keep > 0) chain.sightings = sightings.slice(keep);
    chain.followed = chain.followed.filter(
      (place, at) => place.frame >= final.frame || at === chain.followed.length - 1,
    );
    for (const frame of chain.beside.keys()) if (frame < final.frame) chain.beside.delete(frame);
  }

  function settleUpTo(untilFrame: number): void {
    while (finalFrames < untilFrame) {
      const tick = ticks.shift();
      if (tick === undefined) break;
      if (!tick.searched) search(tick);
      settle(tick);
    }
    looks = looks.filter((look) => look.frame >= finalFrames);
  }

  /** Looks in one frame for what nobody explains. */
  function search(tick: Pending): void {
    tick.searched = true;
    if (tick.grid === null) return;
    const { grid } = tick;
    const boxes = explaining(tick);
    const cover = coverOf(
      grid,
      boxes.map((edges) => (edges === null ? null : explainedBy(grid, edges))),
    );
    if (unexplainedShare(grid, cover) > hopelessShare) return;
    const found = seeUnexplained(unexplained, tick, grid, cover, boxes);
    unexplained.push(...found.chains);
    for (const { box, edges } of found.limbs) {
      const beside = chains[box]?.beside;
      const known = beside?.get(tick.frame);
      beside?.set(tick.frame, known === undefined ? edges : union(known, edges));
    }
  }

  function follow(now: Pending): void {
    for (const chain of chains) chain.watched = now.grid !== null;
    if (now.grid === null) return;
    const boxes = explaining(now);
    const cover = coverOf(now.grid, boxes);
    for (const [index, chain] of chains.entries()) {
      if (lastOf(chain).frame === now.frame) notePresence(chain, now.grid);
      else followOn(chain, now, now.grid, cover, index + 1);
    }
  }

  function trace(chain: Chain, covers: Map<Pending, Int16Array>): void {
    const beginning = firstOf(chain).frame;
    const index = chains.indexOf(chain);
    traceBack(
      chain,
      (function* () {
        for (let at = ticks.length - 1; at >= 0; at -= 1) {
          const tick = ticks[at];
          if (tick === undefined || tick.frame >= beginning) continue;
          if (tick.grid === null) return;
          let cover = covers.get(tick);
          if (cover === undefined) covers.set(tick, (cover = coverOf(tick.grid, explaining(tick))));
          yield { ...tick, grid: tick.grid, cover, owner: index + 1 };
        }
      })(),
    );
  }

  return {
    see(tick) {
      if (newest !== null && tick.frame <= newest.frame) throw new RangeError('Ticks come in order.');
      const now: Pending = { frame: tick.frame, timeS: tick.timeS, grid: null, searched: false };
      newest = now;
      ticks.push(now);
      if (tick.detections !== null) {
        const at = { frame: now.frame, timeS: now.timeS, look: lookCount++ };
        const { begun, look, confused } = see(chains, at, tick.detections, settings.minScore);
        looks.push(look);
        chains.push(...begun);
        for (const chain of confused) {
          addDoubt(chain, { fromFrame: at.frame, toFrame: at.frame + 1, reason: 'overlap' }, picture.timeOf);
        }
        const covers = new Map<Pending, Int16Array>();
        for (const chain of chains) {
          if (chain.output !== null) continue;
          const beginning = firstOf(chain).frame;
          extendBackwards(chain, looks);
          // Anew with the second and third sighting: only then is it known where he came from.
          if (beginning !== firstOf(chain).frame || chain.record.sightings <= 3) trace(chain, covers);
        }
        const takenUp = joinAcrossPauses(chains, tick.timeS);
        if (takenUp.size > 0) chains = chains.filter((chain) => !takenUp.has(chain));
      }
      const believed: Box[] = [];
      // Unexplained motion is none of these: the model never learns what is not the empty scene, anyway.
      for (const chain of chains) {
        if (chain.kind !== 'person') continue;
        if (now.timeS - lastOf(chain).timeS > believedS) continue;
        const place = believedAt(chain, now, picture);
        if (place !== null) believed.push(boxOf(place.edges));
      }
      return believed;
    },

    notice(motion) {
      if (newest === null) throw new RangeError('Nothing was seen yet.');
      newest.grid = gridOf(motion, picture);
      follow(newest);
      for (const tick of ticks) {
        if (!tick.searched && tick.timeS <= newest.timeS - lookaheadS + searchAheadS) search(tick);
      }
      schedule.note(newest, chains, unexplained, newest.grid);
      while (oldFrames < newest.frame && picture.timeOf(oldFrames) < newest.timeS - lookaheadS) oldFrames += 1;
      settleUpTo(oldFrames);
    },

    wantsDetection: (timeS) => schedule.wants(timeS),

    get finalFrames() {
      return finalFrames;
    },

    boxesIn(frame) {
      if (frame >= finalFrames) throw new RangeError(`Frame ${frame} is not final.`);
      current = current.filter(({ of, path }) => !of.closed || path.lastFrame() >= frame);
      const boxes: MaskedBox[] = [];
      for (const { id, kind, path } of current) {
        const point = pointAt(path, frame);
        if (point !== null) boxes.push({ trackId: id, kind, box: point.box });
      }
      return boxes;
    },

    finish() {
      if (tracks !== null) return tracks;
      for (const tick of ticks) if (!tick.searched) search(tick);
      settleUpTo(Infinity);
      tracks = outputs.map(({ id, kind, path: { path }, doubts }) => ({
        id,
        kind,
        path,
        uncertain: doubts(path[0] ?? 0, path[path.length - knotLength] ?? 0),
      }));
      return tracks;
    },
  };
}
