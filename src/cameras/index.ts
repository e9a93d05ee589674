/** Finds cameras: probes the networks, then asks each device that answered, and each that the configuration names. */
import type { Problem, ProbeOptions } from './discovery.js';
import { probeForCameras } from './discovery.js';
import { deviceServiceUrl, readCamera, type CameraClock, type CameraFacts, type MediaProfile } from './onvif.js';
import type { Credentials, SessionOptions } from './onvif-session.js';
import { toGatewayError } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import { usableSerial } from './identity.js';

export interface NamedCamera {
  /** "host", "host:port" or a device service URL. */
  readonly address: string;
  readonly credentials?: Credentials | undefined;
  readonly tlsFingerprint?: string | undefined;
}

export interface DiscoverOptions extends ProbeOptions {
  /**
   * Cameras of the configuration: asked whether or not they answer a probe. Their credentials are also used for a found
   * device at the same host and port.
   */
  readonly named?: readonly NamedCamera[];
  /** Credentials for a found device that no named one covers. */
  readonly credentialsFor?: (device: { readonly urn: string; readonly address: string }) => Credentials | undefined;
  /** For each single question to a device; default 5000. */
  readonly callTimeoutMs?: number;
  /** For all questions to one device; default 20000. */
  readonly cameraTimeoutMs?: number;
  readonly clock?: Clock;
}

export interface FoundCamera {
  /** The endpoint reference; null for a named camera that answered no probe. */
  readonly urn: string | null;
  readonly name: string | null;
  /** Device service URL, without credentials. */
  readonly address: string;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly firmware: string | null;
  readonly hardwareId: string | null;
  readonly mac: string | null;
  readonly macs: readonly string[];
  readonly profiles: readonly MediaProfile[];
  /** Camera minus gateway; null where unknown. The same as `clock.offsetMs`. */
  readonly clockOffsetMs: number | null;
  readonly clock: CameraClock | null;
  /** False where it refused us or wants credentials, null where it did not answer over HTTP. */
  readonly authenticated: boolean | null;
}

const atOnce = 8;

/**
 * Never throws for what a network or a device does. A device that answered a probe is listed even if it then would not
 * talk; a named camera that is not reached is only a problem. Sorted by address.
 */
export async function discoverCameras(
  options: DiscoverOptions = {},
): Promise<{ cameras: FoundCamera[]; problems: Problem[] }> {
  const { named = [], credentialsFor, callTimeoutMs, cameraTimeoutMs, clock, signal } = options;
  const { candidates, problems } = await probeForCameras(options);

  interface Task {
    address: string;
    urn: string | null;
    name: string | null;
    hardware: string | null;
    session: SessionOptions;
  }
  const limits = { timeoutMs: callTimeoutMs, totalTimeoutMs: cameraTimeoutMs, clock };
  const tasks: Task[] = [];
  const byHost = new Map<string, NamedCamera>();
  for (const camera of named) {
    try {
      const address = deviceServiceUrl(camera.address);
      byHost.set(new URL(address).host, camera);
      const { credentials, tlsFingerprint } = camera;
      const session = { ...limits, credentials, tlsFingerprint };
      tasks.push({ address, urn: null, name: null, hardware: null, session });
    } catch (thrown) {
      const error = toGatewayError(thrown);
      problems.push({ address: camera.address, what: error.message, remedy: error.remedy ?? 'Correct the address.' });
    }
  }
  for (const { urn, address, name, hardware } of candidates) {
    const host = new URL(address).host;
    const known = tasks.find((task) => task.urn === null && new URL(task.address).host === host);
    const camera = byHost.get(host);
    const credentials = camera?.credentials ?? credentialsFor?.({ urn, address });
    const session = { ...limits, credentials, tlsFingerprint: camera?.tlsFingerprint };
    if (known === undefined) tasks.push({ address, urn, name, hardware, session });
    else Object.assign(known, { urn, name, hardware, session });
  }

  const cameras: FoundCamera[] = [];
  const queue = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = queue.shift(); task !== undefined && signal?.aborted !== true; task = queue.shift()) {
      try {
        const facts = await readCamera(task.address, task.session);
        problems.push(...facts.problems);
        if (task.urn !== null || facts.authenticated !== null) cameras.push(listed(task, facts));
      } catch (thrown) {
        const error = toGatewayError(thrown);
        const remedy = error.remedy ?? 'Report this as a fault of the gateway.';
        problems.push({ address: task.address, what: error.message, remedy });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { cameras: mergeSightings(cameras).sort((a, b) => (a.address < b.address ? -1 : 1)), problems };
}

function listed(
  task: { urn: string | null; name: string | null; hardware: string | null },
  facts: CameraFacts,
): FoundCamera {
  const { address, manufacturer, model, serial, firmware, mac, macs, profiles, clock, authenticated } = facts;
  return {
    urn: task.urn,
    name: task.name ?? model,
    address,
    manufacturer,
    model,
    serial,
    firmware,
    hardwareId: facts.hardwareId ?? task.hardware,
    mac,
    macs,
    profiles,
    clockOffsetMs: clock?.offsetMs ?? null,
    clock,
    authenticated,
  };
}

/** A device in two of our networks answers from both: the same endpoint reference and serial number are one device. */
function mergeSightings(cameras: readonly FoundCamera[]): FoundCamera[] {
  const kept = new Map<string, FoundCamera>();
  for (const camera of cameras) {
    const serial = usableSerial(camera.serial);
    const proof = serial ?? camera.mac;
    const key = camera.urn === null || proof === null ? camera.address : `${camera.urn} ${proof}`;
    if (!kept.has(key)) kept.set(key, camera);
  }
  return [...kept.values()];
}
