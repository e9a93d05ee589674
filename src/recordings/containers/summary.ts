/** What a container's reader tells about a file, and how it says no. */
import type { RecorderNumber } from '../../domain/recorder-numbers.js';
import type { Micros } from '../../domain/time.js';

export type ContainerName = 'mp4' | 'fmp4' | 'mov' | 'mkv' | 'webm' | 'ts' | 'avi';

export interface MediaSummary {
  readonly container: ContainerName;
  /** Length of what can be played, in microseconds; up to the cut where the file is truncated. */
  readonly durationUs: number;
  readonly hasVideo: true;
  readonly hasAudio: boolean;
  /** ffmpeg's name where there is one (`h264`, `hevc`), else the container's own code. */
  readonly codec: string;
  /** As displayed: pixel aspect and rotation applied. */
  readonly width: number;
  readonly height: number;
  /** Average frames per second as the index tells it; null where it does not. */
  readonly frameRate: number | null;
  /** The container's creation time; null where there is none. Often whole seconds, sometimes local time called UTC. */
  readonly creationTimeUs: Micros | null;
  /** The recorder's wall clock at the first frame (MediaMTX writes it); null elsewhere. */
  readonly recorderClockUs: Micros | null;
  /** Which segment of which of its streams the recorder says it is (MediaMTX); null elsewhere. */
  readonly recorderNumber: RecorderNumber | null;
  /** The file ends before its own index or headers say. */
  readonly truncated: boolean;
}

/**
 * empty: no bytes. no-index: media without the index that makes it playable (a recorder that was killed). no-media: an index
 * without media (a recorder that got no picture). unknown-format: no container we know. no-video: sound only. damaged: a
 * known container whose bytes contradict each other. unreadable: the system would not give us the bytes.
 */
export type ProbeReason = 'empty' | 'no-index' | 'no-media' | 'unknown-format' | 'no-video' | 'damaged' | 'unreadable';

/** A reader's verdict on a file that cannot be indexed. */
export class ProbeRefusal extends Error {
  readonly reason: ProbeReason;
  constructor(reason: ProbeReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}
