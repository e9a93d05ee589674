/** Reads a file in pieces that are larger than what is asked for, for readers that go from header to header. */
import type { BoundedFile } from '../containers/bounded-file.js';

export interface FileWindow {
  readonly sizeBytes: number;
  /** `length` bytes, fewer at the end of the file. Valid until the next call. */
  bytes(offset: number, length: number): Promise<Buffer>;
}

export function windowOf(file: BoundedFile, pieceBytes: number): FileWindow {
  const { sizeBytes } = file.facts;
  let piece: Buffer = Buffer.alloc(0);
  let pieceAt = 0;
  return {
    sizeBytes,
    bytes: async (offset, length) => {
      const end = Math.min(offset + length, sizeBytes);
      if (offset < pieceAt || end > pieceAt + piece.length) {
        piece = await file.read(offset, Math.max(pieceBytes, length));
        pieceAt = offset;
      }
      return piece.subarray(offset - pieceAt, Math.max(offset, end) - pieceAt);
    },
  };
}
