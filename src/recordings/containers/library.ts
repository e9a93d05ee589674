/** The library's part (mediabunny): what tracks there are, for every container; timing too for Matroska and MPEG-TS. */
import {
  BufferSource,
  CustomSource,
  EncodedPacketSink,
  Input,
  Logging,
  LogLevel,
  MATROSKA,
  MP4,
  MPEG_TS,
  QTFF,
  WEBM,
  UnsupportedInputFormatError,
  type InputVideoTrack,
  type Source,
} from 'mediabunny';
import type { BoundedFile } from './bounded-file.js';
import { ProbeRefusal, type ContainerName } from './summary.js';

// What it would print quotes hostile bytes; what matters of it comes back as an error.
Logging.level = LogLevel.Silent;

/** Sound-only formats are no recordings, and a playlist (HLS) would make the library open what it names. */
const formats = [MP4, QTFF, MATROSKA, WEBM, MPEG_TS];

const containerOf: Readonly<Record<string, ContainerName>> = {
  MP4: 'mp4',
  'QuickTime File Format': 'mov',
  Matroska: 'mkv',
  WebM: 'webm',
  'MPEG Transport Stream': 'ts',
};

const codecNames: Readonly<Record<string, string>> = { avc: 'h264' };

export interface Described {
  readonly container: ContainerName;
  readonly hasAudio: boolean;
  readonly codec: string;
  readonly width: number;
  readonly height: number;
}

export interface Timing {
  readonly durationUs: number;
  readonly frameRate: number | null;
}

/** Packets that are looked at for the frame rate; enough for two seconds at 25 frames a second. */
const ratePackets = 50;

/** What the tracks are, from the `ftyp` and `moov` boxes of an MP4, or the first packets of a transport stream. Throws ProbeRefusal. */
export const describeTracks = (index: Buffer): Promise<Described> =>
  withInput(new BufferSource(index), async (input) => (await describe(input)).described);

/** Everything of a Matroska or MPEG-TS file; the latter is read through. Throws ProbeRefusal, LimitReached or the system's error. */
export async function readWithLibrary(file: BoundedFile): Promise<Described & Timing> {
  // The library wraps what a read throws, or drops it: the first one is kept here, and is the true reason.
  let failure: unknown;
  const source = new CustomSource({
    getSize: () => file.facts.sizeBytes,
    prefetchProfile: 'fileSystem',
    read: async (start, end) => {
      try {
        const bytes = await file.read(start, end - start);
        if (bytes.length !== end - start) throw new ProbeRefusal('unreadable', 'the file became shorter meanwhile');
        return bytes;
      } catch (error) {
        failure ??= error;
        throw error;
      }
    },
    // Reads ahead of need that fail: the same failure is in `failure`, and must not end the process.
    handleUnhandledError: (error) => {
      failure ??= error;
    },
  });
  try {
    return await withInput(source, async (input) => {
      const { described, video } = await describe(input);
      return { ...described, ...(await timingOf(video)) };
    });
  } catch (error) {
    throw failure instanceof Error ? failure : error;
  }
}

async function withInput<T>(source: Source, act: (input: Input) => Promise<T>): Promise<T> {
  const input = new Input({ formats, source });
  try {
    return await act(input);
  } catch (error) {
    if (error instanceof ProbeRefusal) throw error;
    if (error instanceof UnsupportedInputFormatError) {
      throw new ProbeRefusal('unknown-format', 'its bytes are no container we know');
    }
    throw new ProbeRefusal('damaged', error instanceof Error ? error.message : String(error));
  } finally {
    input.dispose();
  }
}

async function describe(input: Input): Promise<{ described: Described; video: InputVideoTrack }> {
  const format = await input.getFormat();
  const tracks = await input.getTracks();
  const video = tracks.find((track): track is InputVideoTrack => track.isVideoTrack());
  if (video === undefined) {
    throw new ProbeRefusal(tracks.length === 0 ? 'no-media' : 'no-video', 'no video track that can be read');
  }
  const codec = await video.getCodec();
  const internal = codec === null ? await video.getInternalCodecId() : null;
  const described: Described = {
    container: containerOf[format.name] ?? 'mp4',
    hasAudio: tracks.some((track) => track.isAudioTrack()),
    codec: codec === null ? (typeof internal === 'string' ? internal : 'unknown') : (codecNames[codec] ?? codec),
    width: Math.round(await video.getDisplayWidth()),
    height: Math.round(await video.getDisplayHeight()),
  };
  if (described.width <= 0 || described.height <= 0) throw new ProbeRefusal('damaged', 'a picture without a size');
  return { described, video };
}

async function timingOf(video: InputVideoTrack): Promise<Timing> {
  const sink = new EncodedPacketSink(video);
  if ((await sink.getFirstPacket({ metadataOnly: true })) === null) {
    throw new ProbeRefusal('no-media', 'a video track without a frame');
  }
  const startSeconds = await video.getFirstTimestamp();
  const endSeconds = await video.computeDuration({ skipLiveWait: true });
  const { averagePacketRate } = await video.computePacketStats(ratePackets, { skipLiveWait: true });
  return {
    durationUs: Math.round((endSeconds - startSeconds) * 1e6),
    frameRate: Number.isFinite(averagePacketRate) && averagePacketRate > 0 ? averagePacketRate : null,
  };
}
