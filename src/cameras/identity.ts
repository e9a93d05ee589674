/**
 * Is this device a camera that is already in the register? PURE.
 *
 * A camera is known by its serial number (of one manufacturer) or its MAC address, and, where neither can be had, by its
 * endpoint reference. Never by its address: addresses move, and the next device at the same one would inherit a policy,
 * and with it a retention, that was decided for another place. What contradicts itself is a conflict for a person.
 */

export interface RegisteredCamera {
  readonly cameraId: string;
  readonly manufacturer: string | null;
  readonly serial: string | null;
  readonly mac: string | null;
  readonly urn: string | null;
  /** Where it was last; only to tell whether it moved. */
  readonly address?: string | null;
}

export interface FoundDevice {
  readonly address: string;
  readonly manufacturer: string | null;
  readonly serial: string | null;
  readonly urn: string | null;
  /** All MAC addresses it named, usable or not. */
  readonly macs: readonly string[];
}

export type IdentityMark = 'serial' | 'mac' | 'urn';

export type IdentityDecision =
  | { readonly outcome: 'matched'; readonly cameraId: string; readonly by: IdentityMark }
  /** A known camera at a new address: policy, holds and history stay with it; store the new address. */
  | {
      readonly outcome: 'changed-address';
      readonly cameraId: string;
      readonly by: IdentityMark;
      readonly from: string;
      readonly to: string;
    }
  | { readonly outcome: 'new' }
  /** It names nothing it could be recognised by: not registered, or it would be new again every time. */
  | { readonly outcome: 'unidentified'; readonly what: string; readonly remedy: string }
  /** Nothing is changed until a person has decided. */
  | {
      readonly outcome: 'conflict';
      readonly cameraIds: readonly string[];
      readonly what: string;
      readonly remedy: string;
    };

const placeholders = new Set(
  (
    'NA NONE NULL NIL UNKNOWN UNDEFINED UNSET NOTSET NOTAVAILABLE NOTAPPLICABLE DEFAULT SERIAL SERIALNO SERIALNUMBER ' +
    'SN TBD TEST DEMO CAMERA IPCAM IPC IPCAMERA DEVICE TOBEFILLEDBYOEM XXXXXX STRING EMPTY INVALID'
  ).split(' '),
);

/**
 * The serial number as an identity: upper case, no spaces. Null where it is none: empty, too short, "N/A", "000000",
 * "123456789", and the other things that cheap cameras all share.
 */
export function usableSerial(serial: string | null): string | null {
  if (serial === null) return null;
  const normal = serial.normalize('NFKC').replace(/\s+/g, '').toUpperCase();
  const bare = normal.replace(/[^\p{L}\p{N}]/gu, '');
  if (bare.length < 4 || normal.length > 128 || normal.includes('\uFFFD')) return null;
  if (placeholders.has(bare) || new Set(bare).size === 1) return null;
  if ('0123456789012345678901234567890'.includes(bare) || '9876543210'.includes(bare)) return null;
  if ('ABCDEFGHIJKLMNOPQRSTUVWXYZ'.includes(bare) || '0123456789ABCDEF'.includes(bare)) return null;
  return normal;
}

/** The MAC address in lower case with colons, or null where it is none that identifies one device. */
export function usableMac(mac: string | null): string | null {
  const digits = (mac ?? '').trim().toLowerCase();
  if (
    !/^(?:[\da-f]{2}([:-]))(?:[\da-f]{2}\1){4}[\da-f]{2}$|^[\da-f]{12}$|^(?:[\da-f]{4}\.){2}[\da-f]{4}$/.test(digits)
  ) {
    return null;
  }
  const bytes = digits.replace(/[^\da-f]/g, '').match(/../g) ?? [];
  const multicast = (Number.parseInt(bytes[0] ?? '', 16) & 1) === 1;
  const normal = bytes.join(':');
  if (multicast || new Set(bytes).size === 1 || normal === '00:11:22:33:44:55' || normal === '00:01:02:03:04:05') {
    return null;
  }
  return normal;
}

/**
 * One decision per found device, in their order. The found devices are judged together: two that claim the same serial
 * number are a conflict for both, whether or not it is registered.
 */
export function identifyDevices(
  registered: readonly RegisteredCamera[],
  found: readonly FoundDevice[],
): IdentityDecision[] {
  const marks = found.map(marksOf);
  const decisions = found.map((device, at) => clash(at, found, marks) ?? identify(registered, device));
  // Two devices that both come out as the same camera, and are not plainly one device seen twice.
  return decisions.map((decision, at) => {
    if (decision.outcome !== 'matched' && decision.outcome !== 'changed-address') return decision;
    const rival = decisions.findIndex(
      (other, index) =>
        index !== at &&
        (other.outcome === 'matched' || other.outcome === 'changed-address') &&
        other.cameraId === decision.cameraId &&
        !sameDevice(marks[at], marks[index]),
    );
    if (rival < 0) return decision;
    return conflict(
      [decision.cameraId],
      `The devices at ${found[at]?.address ?? ''} and ${found[rival]?.address ?? ''} both look like this camera.`,
    );
  });
}

interface Marks {
  readonly serial: string | null;
  readonly maker: string;
  readonly macs: readonly string[];
  readonly urn: string | null;
}

function marksOf(device: {
  readonly manufacturer: string | null;
  readonly serial: string | null;
  readonly urn: string | null;
  readonly macs: readonly (string | null)[];
}): Marks {
  const urn = (device.urn ?? '').trim().toLowerCase();
  // An endpoint reference of zeros is a placeholder like any other.
  const bare = urn.replace(/^(?:urn:)?(?:uuid:)?/, '').replace(/[^\p{L}\p{N}]/gu, '');
  return {
    serial: usableSerial(device.serial),
    maker: (device.manufacturer ?? '').replace(/[^\p{L}\p{N}]/gu, '').toUpperCase(),
    macs: device.macs.map(usableMac).filter((mac) => mac !== null),
    urn: new Set(bare).size < 3 ? null : urn,
  };
}

/** Equal, different, or not comparable because one side does not know it. */
type Verdict = 'same' | 'other' | 'unknown';

function compareSerial(a: Marks, b: Marks): Verdict {
  if (a.serial === null || b.serial === null) return 'unknown';
  // A camera named by hand in the configuration may have a serial number but no manufacturer.
  const makersDiffer = a.maker !== '' && b.maker !== '' && a.maker !== b.maker;
  return a.serial === b.serial && !makersDiffer ? 'same' : 'other';
}

function compareMacs(a: Marks, b: Marks): Verdict {
  if (a.macs.length === 0 || b.macs.length === 0) return 'unknown';
  return a.macs.some((mac) => b.macs.includes(mac)) ? 'same' : 'other';
}

function compareUrn(a: Marks, b: Marks): Verdict {
  if (a.urn === null || b.urn === null) return 'unknown';
  return a.urn === b.urn ? 'same' : 'other';
}

function sameDevice(a: Marks | undefined, b: Marks | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const strong = [compareSerial(a, b), compareMacs(a, b)];
  if (strong.includes('other')) return false;
  return (strong.includes('same') && compareUrn(a, b) !== 'other') || compareMacs(a, b) === 'same';
}

function clash(at: number, found: readonly FoundDevice[], marks: readonly Marks[]): IdentityDecision | null {
  const own = marks[at];
  if (own === undefined) return null;
  const twin = marks.findIndex(
    (other, index) => index !== at && compareSerial(own, other) === 'same' && !sameDevice(own, other),
  );
  if (twin < 0) return null;
  return {
    outcome: 'conflict',
    cameraIds: [],
    what: `The devices at ${found[at]?.address ?? ''} and ${found[twin]?.address ?? ''} claim the same serial number ${own.serial ?? ''}.`,
    remedy:
      'One of them is a copy or its serial number is not set: correct it in the device, or register both by hand.',
  };
}

function identify(registered: readonly RegisteredCamera[], device: FoundDevice): IdentityDecision {
  const own = marksOf(device);
  if (own.serial === null && own.macs.length === 0 && own.urn === null) {
    return {
      outcome: 'unidentified',
      what: `The device at ${device.address} gives no serial number, no MAC address and no endpoint reference.`,
      remedy:
        'Set cameras[].onvif.user and cameras[].onvif.passwordFile so that it can be asked, or register it by hand.',
    };
  }
  const compared = registered.map((camera) => {
    const marks = marksOf({ ...camera, macs: [camera.mac] });
    return {
      camera,
      serial: compareSerial(own, marks),
      mac: compareMacs(own, marks),
      urn: compareUrn(own, marks),
    };
  });
  const strong = compared.filter(({ serial, mac }) => serial === 'same' || mac === 'same');
  // The endpoint reference decides only where nothing better speaks for or against: cheap devices all have the same.
  const byUrn = compared.filter(({ serial, mac, urn }) => urn === 'same' && serial === 'unknown' && mac === 'unknown');
  const candidates = strong.length > 0 ? strong : byUrn;
  const ids = candidates.map(({ camera }) => camera.cameraId);
  const [only] = candidates;
  if (only === undefined) return { outcome: 'new' };
  if (candidates.length > 1)
    return conflict(ids, `The device at ${device.address} could be any of: ${ids.join(', ')}.`);
  if (only.serial === 'other' || only.mac === 'other') {
    const [same, differs] =
      only.serial === 'other' ? ['MAC address', 'serial number'] : ['serial number', 'MAC address'];
    return conflict(
      ids,
      `The device at ${device.address} has the ${same} of camera ${ids.join()} but another ${differs}.`,
    );
  }
  const by = only.serial === 'same' ? 'serial' : only.mac === 'same' ? 'mac' : 'urn';
  const from = only.camera.address ?? null;
  if (from !== null && from !== device.address) {
    return { outcome: 'changed-address', cameraId: only.camera.cameraId, by, from, to: device.address };
  }
  return { outcome: 'matched', cameraId: only.camera.cameraId, by };
}

function conflict(cameraIds: readonly string[], what: string): IdentityDecision {
  return {
    outcome: 'conflict',
    cameraIds,
    what,
    remedy: 'Look at the devices. If a part was replaced, correct the register; if it is a copy, correct the device.',
  };
}
