/**
 * A package as it lies somewhere, folder or ZIP, behind one face. Everything in it is hostile: names, sizes, links, doubles.
 * What is wrong with the container itself is a problem, not an exception, so that all of it can be told at once.
 */
export interface PackageFile {
  readonly sizeBytes: number;
  /** Hands the content on in pieces. What `sink` throws ends the reading. */
  read(sink: (chunk: Uint8Array) => void): Promise<void>;
}

export interface PackageSource {
  readonly kind: 'folder' | 'ZIP';
  readonly files: ReadonlyMap<string, PackageFile>;
  readonly problems: readonly string[];
  close(): Promise<void>;
}

/** More than any package of ours has: 10 000 originals, as many copies, and what stands beside them. */
export const maxFiles = 20_010;

/** A hostile name for a message: no control characters, no endless length. */
export const printable = (name: string): string => JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
