/**
 * A small ONVIF camera without a picture: WS-Discovery, device service and media service. It stands in for real cameras
 * in the demo and in the tests, and misbehaves on request. It imports nothing of the gateway.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { answer, fault, openOperations, probeAnswer, type DeviceState, type StreamOption } from './onvif-answers.js';
import { createAuthenticator } from './onvif-auth.js';

export type OnvifFault =
  /** XML that is cut off. */
  | 'malformed'
  /** A document type with entities that grow to gigabytes. */
  | 'entity-bomb'
  /** A hundred thousand elements inside one another. */
  | 'deep'
  /** 10 MB of well-formed XML (over UDP: as much as a datagram holds). */
  | 'huge'
  /** A byte now and then, for ever. */
  | 'drip'
  /** Takes the question and says nothing. */
  | 'silent'
  | 'hang-up'
  /** Well-formed XML that has nothing to do with the question. */
  | 'nonsense';

export interface OnvifDeviceOptions {
  readonly name: string;
  readonly serial: string;
  readonly mac: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly user: string;
  readonly password: string;
  /** 0 for any free one. */
  readonly httpPort: number;
  /** Where HTTP listens and what it announces; 127.0.0.1 for demos and tests. */
  readonly address: string;
  /** A UDP port of its own for unicast probes; 0 for any free one. Without it only multicast is answered. */
  readonly discoveryPort?: number;
  /** Join the discovery group on every interface, port 3702 shared with others; default true. */
  readonly multicast?: boolean;
  /** This device's clock minus that of the machine, milliseconds; default 0. */
  readonly clockOffsetMs?: number;
  /** Default: made from the serial number, so it survives a restart and a new address. */
  readonly urn?: string;
  /** Which proof of identity is understood; default both. */
  readonly authentication?: 'both' | 'http-digest' | 'username-token';
  readonly streams?: readonly StreamOption[];
  /** By operation name; "Probe" for discovery, "*" for every operation. */
  readonly faults?: Readonly<Record<string, OnvifFault>>;
}

export interface OnvifDevice {
  readonly urn: string;
  /** HTTP port. */
  readonly port: number;
  /** UDP port for unicast probes, or null. */
  readonly discoveryPort: number | null;
  /** Operations asked for so far, in order, refused ones included. */
  readonly asked: readonly string[];
  close: () => Promise<void>;
}

const group = '239.255.255.250';
const maxRequestBytes = 256 * 1024;

export async function startOnvifDevice(options: OnvifDeviceOptions): Promise<OnvifDevice> {
  const { address, faults = {}, authentication = 'both', clockOffsetMs = 0 } = options;
  const authenticator = createAuthenticator(options.user, options.password, `${options.model} ${options.serial}`);
  const asked: string[] = [];
  const urn = options.urn ?? `urn:uuid:${uuidFrom(`${options.manufacturer} ${options.serial}`)}`;

  const server = createServer((request, response) => {
    serve(request, response).catch(() => {
      // The client went away in the middle of its own request.
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.httpPort, address, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const device: DeviceState = {
    name: options.name,
    serial: options.serial,
    mac: options.mac,
    manufacturer: options.manufacturer,
    model: options.model,
    firmware: '1.0.0',
    hardwareId: `${options.model}-hw1`,
    urn,
    host: `${address}:${port}`,
    address,
    streams: options.streams ?? [
      { token: 'main', width: 1280, height: 720, uri: `rtsp://${address}:8554/${encodeURIComponent(options.name)}` },
      { token: 'sub', width: 640, height: 360, uri: `rtsp://${address}:8554/${encodeURIComponent(options.name)}/sub` },
    ],
    nowMs: () => Date.now() + clockOffsetMs,
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxRequestBytes) return void response.writeHead(413).end();
      chunks.push(chunk);
    }
    const send = (status: number, body: string, headers: Record<string, string | string[]> = {}): void => {
      response.writeHead(status, { 'Content-Type': 'application/soap+xml; charset=utf-8', ...headers }).end(body);
    };
    if (request.method !== 'POST' || !request.url?.startsWith('/onvif/')) {
      send(404, '');
      return;
    }
    const soap = Buffer.concat(chunks).toString('utf8');
    const operation = /<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)/.exec(soap)?.[1] ?? '';
    asked.push(operation);
    const misbehave = faults[operation] ?? faults['*'];
    if (misbehave !== undefined) {
      disturb(misbehave, operation, response);
      return;
    }
    if (!openOperations.has(operation)) {
      const byToken = authentication === 'http-digest' ? 'absent' : authenticator.usernameToken(soap, device.nowMs());
      const byDigest =
        authentication === 'username-token'
          ? 'absent'
          : authenticator.httpDigest(request.headers.authorization, request.method, request.url);
      if (byToken === 'refused' || (byToken === 'absent' && byDigest !== 'accepted')) {
        const refusal = fault('Sender', 'NotAuthorized', 'Sender not Authorized');
        // The core specification: 400 for a bad token, 401 with a challenge for everything else.
        if (byToken === 'refused' || authentication === 'username-token') {
          send(400, refusal);
          return;
        }
        send(401, refusal, { 'WWW-Authenticate': authenticator.challenges() });
        return;
      }
    }
    const body = answer(device, operation, soap);
    if (body === null) {
      send(400, fault('Receiver', 'ActionNotSupported', 'Optional action not implemented'));
      return;
    }
    send(body.includes('<s:Fault>') ? 400 : 200, body);
  }

  const sockets: Socket[] = [];
  const onProbe = (socket: Socket) => (datagram: Buffer, sender: RemoteInfo) => {
    const reply = probeAnswer(device, datagram.toString('utf8'), randomUUID());
    if (reply === null || faults['Probe'] === 'silent') return;
    asked.push('Probe');
    const misbehave = faults['Probe'];
    const bytes = misbehave === undefined ? Buffer.from(reply) : garbage(misbehave, 'ProbeMatches', 60_000);
    socket.send(bytes, sender.port, sender.address);
  };
  const listen = async (port: number, bindTo: string | undefined, shared: boolean): Promise<Socket> => {
    const socket = createSocket({ type: 'udp4', reuseAddr: shared });
    sockets.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port, ...(bindTo === undefined ? {} : { address: bindTo }) }, resolve);
    });
    socket.on('message', onProbe(socket));
    return socket;
  };
  const close = async (): Promise<void> => {
    for (const socket of sockets.splice(0)) socket.close();
    server.closeAllConnections();
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
  };
  try {
    if (options.multicast !== false) {
      const socket = await listen(3702, undefined, true);
      for (const { address: own, family } of Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])) {
        if (family !== 'IPv4') continue;
        try {
          socket.addMembership(group, own);
        } catch {
          // An interface without multicast: the device is then simply not found there.
        }
      }
    }
    const direct = options.discoveryPort === undefined ? null : await listen(options.discoveryPort, address, false);
    return { urn, port, discoveryPort: direct?.address().port ?? null, asked, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function disturb(kind: OnvifFault, operation: string, response: ServerResponse): void {
  if (kind === 'silent') return;
  if (kind === 'hang-up') return void response.destroy();
  response.writeHead(200, { 'Content-Type': 'application/soap+xml; charset=utf-8' });
  if (kind === 'drip') {
    const timer = setInterval(() => response.write(' '), 50);
    response.once('close', () => {
      clearInterval(timer);
    });
    return;
  }
  response.end(garbage(kind, `${operation}Response`, 10_000_000));
}

function garbage(kind: OnvifFault, element: string, sizeBytes: number): Buffer {
  const open = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><${element}>`;
  const close = `</${element}></s:Body></s:Envelope>`;
  switch (kind) {
    case 'entity-bomb': {
      const entities = Array.from({ length: 9 }, (_, at) => `<!ENTITY e${at + 1} "${`&e${at};`.repeat(10)}">`).join('');
      return Buffer.from(`<?xml version="1.0"?><!DOCTYPE s [<!ENTITY e0 "ha">${entities}]>${open}&e9;${close}`);
    }
    case 'deep': {
      const depth = Math.min(100_000, Math.floor(sizeBytes / 8));
      return Buffer.from(open + '<a>'.repeat(depth) + '</a>'.repeat(depth) + close);
    }
    case 'huge':
      return Buffer.from(open + '<a>xmlns</a>'.repeat(Math.ceil(sizeBytes / 12)) + close);
    case 'nonsense':
      return Buffer.from('<recipe><flour unit="g">500</flour></recipe>');
    case 'malformed':
    case 'drip':
    case 'silent':
    case 'hang-up':
      return Buffer.from(`${open}<tds:Manufacturer>Ac`);
  }
}

/** A UUID that is always the same for the same text. */
function uuidFrom(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
