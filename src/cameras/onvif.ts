/** What a camera tells about itself over ONVIF. Every fact is the camera's own claim; what it won't tell is a problem. */
import { GatewayError, toGatewayError } from '../errors.js';
import { computeClockOffset, readCameraTime, type ClockOffset } from './clock-offset.js';
import type { Problem } from './discovery.js';
import { usableMac } from './identity.js';
import { openSession, type Answer, type AskCallback, type SessionOptions } from './onvif-session.js';
import { serviceUrl } from './probe-match.js';
import { childrenNamed, cleanText, descend, escapeXml, textAt, type XmlElement } from './xml.js';
import type { Cam } from 'onvif';

export interface MediaProfile {
  readonly token: string;
  readonly name: string | null;
  /** Such as H264; null where the camera does not say. */
  readonly encoding: string | null;
  readonly width: number | null;
  readonly height: number | null;
  /** Without credentials; null where the camera gave none. */
  readonly rtspUri: string | null;
}

export interface CameraClock extends ClockOffset {
  /** Gateway UTC milliseconds. */
  readonly measuredAtMs: number;
  readonly source: 'NTP' | 'Manual' | null;
}

export interface CameraFacts {
  /** The device service address that was asked, without credentials. */
  readonly address: string;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly firmware: string | null;
  readonly serial: string | null;
  readonly hardwareId: string | null;
  /** Of the first network interface that has a usable one; lower case with colons. */
  readonly mac: string | null;
  readonly macs: readonly string[];
  readonly profiles: readonly MediaProfile[];
  readonly clock: CameraClock | null;
  /** Whether the camera let us in: null where it was not reached. */
  readonly authenticated: boolean | null;
  readonly problems: readonly Problem[];
}

/** A recorder shows each channel as two or three profiles. More than this is not a camera, and each costs a question. */
const maxProfiles = 64;
/** From here on a time in a file name is off by more than any retention margin forgives unseen; worth a word. */
const noticeableOffsetMs = 2000;

/**
 * Asks the device at `address` (its device service URL, or "host" or "host:port" for the usual path). Throws only
 * `config-invalid`, where the address or the user name is unusable; all else becomes a problem.
 */
export async function readCamera(address: string, options: SessionOptions = {}): Promise<CameraFacts> {
  const url = deviceServiceUrl(address);
  const session = openSession(url, options);
  const problems: Problem[] = [];
  /** Set once more questions make no sense: the camera is gone, or has refused us. */
  let over = false;

  const ask = async (operation: string, put: (cam: Cam, done: AskCallback) => void): Promise<Answer | null> => {
    if (over) return null;
    try {
      return await session.ask(operation, put);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      over = error.code === 'io-failed' || session.refused();
      const remedy = error.remedy ?? 'Report this as a fault of the gateway.';
      // One word about credentials is enough, not one for every question; and one for twenty equal refusals.
      const told = problems.some(
        (problem) => problem.remedy === remedy && (problem.what === error.message || error.code === 'unauthenticated'),
      );
      if (!told) {
        problems.push({ address: url, what: error.message, remedy });
      }
      return null;
    }
  };

  const time = await ask('GetSystemDateAndTime', (cam, done) => {
    cam.getSystemDateAndTime(done);
  });
  const clock = time === null ? null : readClock(time, url, problems);
  session.setClockOffset(clock?.offsetMs ?? 0);

  const info = await ask('GetDeviceInformation', (cam, done) => {
    cam.getDeviceInformation(done);
  });
  const fact = (name: string): string | null => cleanText(textAt(info?.response, name));

  // Some devices offer only one of the two, and old ones know only the second.
  const before = problems.length;
  const listed = await ask('GetServices', (cam, done) => {
    cam.getServices(false, done);
  });
  let services = listed === null ? new Map<string, string>() : readServices(listed.response);
  if (!services.has('media') && !services.has('media2')) {
    const capabilities = await ask('GetCapabilities', (cam, done) => {
      cam.getCapabilities(done);
    });
    const media = textAt(capabilities?.response, 'Capabilities', 'Media', 'XAddr');
    if (media !== null) {
      services = new Map([...services, ['media', media]]);
      problems.length = before;
    }
  }
  session.setServices(services);

  const nics = await ask('GetNetworkInterfaces', (cam, done) => {
    cam.getNetworkInterfaces(done);
  });
  const macs = childrenNamed(nics?.response, 'NetworkInterfaces')
    .map((nic) => usableMac(textAt(nic, 'Info', 'HwAddress')))
    .filter((mac) => mac !== null);

  let profiles = await askProfiles();
  if (profiles.length === 0 && services.has('media2') && services.has('media')) {
    // Announced but broken on some cameras: the older service tells the same.
    session.setServices(new Map([...services].filter(([name]) => name !== 'media2')));
    problems.splice(0, problems.length, ...problems.filter(({ what }) => !what.includes('GetProfiles')));
    profiles = await askProfiles();
  }
  const withUris: MediaProfile[] = [];
  for (const profile of profiles) withUris.push({ ...profile, rtspUri: await askStreamUri(profile.token) });

  return {
    address: url,
    manufacturer: fact('Manufacturer'),
    model: fact('Model'),
    firmware: fact('FirmwareVersion'),
    serial: fact('SerialNumber'),
    hardwareId: fact('HardwareId'),
    mac: macs[0] ?? null,
    macs: [...new Set(macs)],
    profiles: withUris,
    clock,
    authenticated: session.refused() ? false : info !== null ? true : time === null ? null : false,
    problems,
  };

  async function askProfiles(): Promise<Omit<MediaProfile, 'rtspUri'>[]> {
    const answer = await ask('GetProfiles', (cam, done) => {
      cam.getProfiles(done);
    });
    return childrenNamed(answer?.response, 'Profiles').slice(0, maxProfiles).flatMap(readProfile);
  }

  async function askStreamUri(token: string): Promise<string | null> {
    const answer = await ask('GetStreamUri', (cam, done) => {
      cam.getStreamUri({ protocol: 'RTSP', profileToken: escapeXml(token) }, done);
    });
    if (answer === null) return null;
    const announced = textAt(answer.response, 'MediaUri', 'Uri') ?? textAt(answer.response, 'Uri');
    const uri = withoutCredentials(announced);
    if (uri === null) {
      problems.push({
        address: url,
        what: `Profile "${token}" has no stream address that can be read.`,
        remedy: "Set the stream's address in the VMS by hand.",
      });
    }
    return uri;
  }
}

/** Asks for the time alone, which needs no credentials. Throws as `readCamera`; no answer is a problem. */
export async function readCameraClock(
  address: string,
  options: SessionOptions = {},
): Promise<{ readonly clock: CameraClock | null; readonly problems: readonly Problem[] }> {
  const url = deviceServiceUrl(address);
  const problems: Problem[] = [];
  try {
    const answer = await openSession(url, options).ask('GetSystemDateAndTime', (cam, done) => {
      cam.getSystemDateAndTime(done);
    });
    return { clock: readClock(answer, url, problems), problems };
  } catch (thrown) {
    const error = toGatewayError(thrown);
    const remedy = error.remedy ?? 'Report this as a fault of the gateway.';
    return { clock: null, problems: [{ address: url, what: error.message, remedy }] };
  }
}

/** The device service URL that `address` means. Throws `config-invalid`. */
export function deviceServiceUrl(address: string): string {
  const url = serviceUrl(/^[a-z]+:\/\//i.test(address) ? address : `http://${address}`);
  if (url === null) {
    throw new GatewayError('config-invalid', `"${cleanText(address) ?? ''}" is not the address of a camera.`, {
      remedy: 'Write a host, "host:port", or an address such as http://192.168.1.20/onvif/device_service.',
    });
  }
  const parsed = new URL(url);
  if (parsed.pathname === '/') parsed.pathname = '/onvif/device_service';
  return parsed.href;
}

function readClock(answer: Answer, address: string, problems: Problem[]): CameraClock | null {
  const time = readCameraTime(answer.response);
  if (time === null) {
    problems.push({
      address,
      what: 'The camera gives no usable UTC time, so the offset of its clock is unknown.',
      remedy: "Set the camera's clock and time zone, by NTP where possible.",
    });
    return null;
  }
  const { sentMs, receivedMs } = answer;
  const offset = computeClockOffset({ cameraUtcMs: time.utcMs, sentMs, receivedMs });
  if (Math.abs(offset.offsetMs) - offset.uncertaintyMs > noticeableOffsetMs) {
    const seconds = Math.round(Math.abs(offset.offsetMs) / 1000);
    problems.push({
      address,
      what: `The camera's clock is ${seconds} s ${offset.offsetMs > 0 ? 'ahead of' : 'behind'} the gateway's.`,
      remedy: 'Let camera, recorder and gateway take their time from the same NTP server.',
    });
  }
  return { ...offset, measuredAtMs: Math.round(receivedMs), source: time.source };
}

function readServices(response: XmlElement): Map<string, string> {
  const services = new Map<string, string>();
  for (const service of childrenNamed(response, 'Service')) {
    const found = /^http:\/\/www\.onvif\.org\/ver(\d0)\/(\w+)\//i.exec(textAt(service, 'Namespace') ?? '');
    const address = textAt(service, 'XAddr');
    const name = found?.[2]?.toLowerCase();
    if (name === undefined || address === null) continue;
    services.set(name === 'media' && found?.[1] === '20' ? 'media2' : name, address);
  }
  return services;
}

function readProfile(profile: XmlElement): Omit<MediaProfile, 'rtspUri'>[] {
  const token = profile.attributes.get('token');
  if (token === undefined || token === '' || token.length > 128) return [];
  const encoder = descend(profile, 'VideoEncoderConfiguration') ?? descend(profile, 'Configurations', 'VideoEncoder');
  const size = (name: string): number | null => {
    const text = textAt(encoder, 'Resolution', name) ?? '';
    return /^\d{1,5}$/.test(text) ? Number(text) : null;
  };
  return [
    {
      token,
      name: cleanText(textAt(profile, 'Name')),
      encoding: cleanText(textAt(encoder, 'Encoding'), 32),
      width: size('Width'),
      height: size('Height'),
    },
  ];
}

/**
 * A stream address without user and password, wherever cameras hide them: before the host, in the query, or in the
 * path ("/user=admin_password=secret_channel=1"). Null where it is no RTSP or HTTP address.
 */
export function withoutCredentials(uri: string | null): string | null {
  if (uri === null || uri.length > 1024 || !URL.canParse(uri)) return null;
  const url = new URL(uri);
  if (!['rtsp:', 'rtsps:', 'http:', 'https:'].includes(url.protocol) || url.hostname === '') return null;
  url.username = '';
  url.password = '';
  return url.href.replace(
    /(?<![a-z])(user(?:name)?|usr|login|pass(?:word|wd)?|pwd|auth|token)=.*?(?=[&?#;/]|_[a-z]{1,16}=|$)/gi,
    '$1=',
  );
}
