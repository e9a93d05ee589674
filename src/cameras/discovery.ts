/**
 * WS-Discovery: asks every network for cameras and collects who answers.
 *
 * With node:dgram and our own reader rather than `Discovery` of the `onvif` package: that one sends a single probe from
 * a single interface, crashes the process where an answer lacks a field or holds two matches (it throws inside a
 * callback, and emits "error" on an emitter nobody listens to), does not look at RelatesTo, and knows no unicast.
 */
import { randomUUID } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { toGatewayError } from '../errors.js';
import { bareId, chooseXaddr, parseProbeAnswer, type ProbeMatch } from './probe-match.js';

const multicastGroup = '239.255.255.250';
const discoveryPort = 3702;
/** UDP loses datagrams, and cameras wake from power saving: several probes, the later ones further apart. */
const probeAtFraction = [0, 0.1, 0.3];
/** What one stranger, and all of them together, can make us work through. */
const maxAnswersPerSender = 64;
const maxCandidates = 4096;
const maxProblems = 200;

export interface Problem {
  /** Where; an address, a target or an interface. */
  readonly address?: string;
  /** What is wrong. */
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
}

export interface Candidate extends ProbeMatch {
  /** The device service address to talk to. */
  readonly address: string;
  /** Who sent the answer. */
  readonly sender: string;
}

export interface ProbeOptions {
  /** How long to listen, milliseconds; default 3000. The call takes this long. */
  readonly timeoutMs?: number;
  /** Ask by multicast on every IPv4 interface, loopback included; default true. */
  readonly multicast?: boolean;
  /** Ask these directly as well, "host" or "host:port" (default port 3702): other networks, demos, tests. */
  readonly targets?: readonly string[];
  /** Stops early; what has been found so far is returned. */
  readonly signal?: AbortSignal;
}

/**
 * Sends probes and collects answers. Never throws for what strangers send or networks refuse: those are `problems`.
 * Candidates are deduplicated by endpoint reference together with service address; the order is that of arrival.
 */
export async function probeForCameras(
  options: ProbeOptions = {},
): Promise<{ candidates: Candidate[]; problems: Problem[] }> {
  const { timeoutMs = 3000, multicast = true, targets = [], signal } = options;
  const interfaces = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.filter(({ family }) => family === 'IPv4').map(({ address }) => ({ name, address })),
  );
  const ownAddresses = interfaces.map(({ address }) => address);
  const candidates: Candidate[] = [];
  const problems = new Map<string, Problem>();
  const answersBySender = new Map<string, number>();
  const asked = new Set<string>();
  const answered = new Set<string>();

  const report = (problem: Problem): void => {
    if (problems.size < maxProblems) problems.set(`${problem.address ?? ''} ${problem.what}`, problem);
  };
  const onAnswer = (datagram: Buffer, sender: RemoteInfo): void => {
    const count = (answersBySender.get(sender.address) ?? 0) + 1;
    answersBySender.set(sender.address, count);
    // Loopback is exempt: every simulated camera has the same address there, and strangers cannot use it.
    if (count > maxAnswersPerSender && !sender.address.startsWith('127.')) return;
    const address = `${sender.address}:${sender.port}`;
    try {
      const answer = parseProbeAnswer(datagram);
      if (answer.relatesTo === null || !asked.has(answer.relatesTo)) {
        report({
          address,
          what: 'A discovery answer does not relate to a question of ours.',
          remedy: 'If this is a camera, update its firmware or name its address under cameras[].onvif.address.',
        });
        return;
      }
      answered.add(answer.relatesTo);
      for (const what of answer.rejected) {
        report({
          address,
          what: `A discovery answer was left out: ${what}`,
          remedy: 'Nothing, unless it is a camera.',
        });
      }
      for (const match of answer.matches) accept(match, sender.address, address);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      report({ address, what: error.message, remedy: error.remedy ?? 'Report this as a fault of the gateway.' });
    }
  };
  const accept = (match: ProbeMatch, sender: string, senderAddress: string): void => {
    const chosen = chooseXaddr(match.xaddrs, sender, ownAddresses);
    if (chosen === null) {
      report({
        address: senderAddress,
        what: `A device announces only addresses outside its own network: ${match.xaddrs.slice(0, 3).join(' ')}`,
        remedy: 'Correct the network settings of the device, or name its address under cameras[].onvif.address.',
      });
      return;
    }
    // The same device answers once per probe and per network of ours. A device that makes up a new endpoint reference
    // for every answer is still one device at one address; two devices with the same reference are still two.
    const known = candidates.some(
      (other) => other.address === chosen || (other.urn === match.urn && other.xaddrs.includes(chosen)),
    );
    if (!known && candidates.length < maxCandidates) candidates.push({ ...match, address: chosen, sender });
  };

  const sockets: Socket[] = [];
  const askers: (() => void)[] = [];
  const openSocket = async (label: string, bindTo: string | undefined): Promise<Socket | null> => {
    const socket = createSocket('udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ port: 0, ...(bindTo === undefined ? {} : { address: bindTo }) }, () => {
          socket.off('error', reject);
          resolve();
        });
      });
      socket.on('error', (error) => {
        report({
          address: label,
          what: `Discovery failed here: ${error.message}`,
          remedy: 'Check this network interface.',
        });
      });
      socket.on('message', onAnswer);
      sockets.push(socket);
      return socket;
    } catch (error) {
      socket.close();
      const { message } = toGatewayError(error);
      report({
        address: label,
        what: `Cannot use this interface: ${message}`,
        remedy: 'Check this network interface.',
      });
      return null;
    }
  };
  const ask = (socket: Socket, label: string, host: string, port: number, id: string): void => {
    asked.add(id);
    const message = probeMessage(id);
    askers.push(() => {
      socket.send(message, port, host, (error) => {
        if (error === null) return;
        report({
          address: label,
          what: `Cannot ask here: ${error.message}`,
          remedy: 'Check the route to this network.',
        });
      });
    });
  };

  const unanswered = new Map<string, string>();
  try {
    if (multicast) {
      for (const { name, address } of interfaces) {
        const label = `${name} ${address}`;
        const socket = await openSocket(label, address);
        if (socket === null) continue;
        try {
          socket.setMulticastInterface(address);
          socket.setMulticastTTL(1);
        } catch (error) {
          const { message } = toGatewayError(error);
          report({ address: label, what: `No multicast here: ${message}`, remedy: 'Check this network interface.' });
          continue;
        }
        ask(socket, label, multicastGroup, discoveryPort, randomUUID());
      }
    }
    const direct = targets.length === 0 ? null : await openSocket('unicast', undefined);
    for (const target of targets) {
      const place = parseTarget(target);
      if (place === null) {
        report({ address: target, what: 'This is no "host" or "host:port".', remedy: 'Correct the discovery target.' });
      } else if (direct !== null) {
        const id = randomUUID();
        unanswered.set(id, target);
        ask(direct, target, place.host, place.port, id);
      }
    }
    let elapsedMs = 0;
    for (const fraction of probeAtFraction) {
      await pause(fraction * timeoutMs - elapsedMs, signal);
      elapsedMs = fraction * timeoutMs;
      if (signal?.aborted === true) break;
      for (const askNow of askers) askNow();
    }
    await pause(timeoutMs - elapsedMs, signal);
  } finally {
    for (const socket of sockets) socket.close();
  }
  for (const [id, target] of unanswered) {
    if (answered.has(id)) continue;
    report({
      address: target,
      what: `No camera answered here within ${timeoutMs} ms.`,
      remedy:
        'Check that the device is on, that ONVIF is switched on in it, and that a firewall lets UDP 3702 through.',
    });
  }
  return { candidates, problems: [...problems.values()] };
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms <= 0 || signal?.aborted === true) return;
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {
    // Only ever the signal: the caller wants what there is, and sees the signal himself.
  });
}

function parseTarget(target: string): { host: string; port: number } | null {
  const parts = /^([A-Za-z0-9.-]{1,253})(?::(\d{1,5}))?$/.exec(target);
  const [, host, portText] = parts ?? [];
  const port = portText === undefined ? discoveryPort : Number(portText);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}

function probeMessage(id: string): Buffer {
  return Buffer.from(
    '<?xml version="1.0" encoding="UTF-8"?>' +
      '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"' +
      ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">' +
      `<e:Header><w:MessageID>uuid:${bareId(id) ?? ''}</w:MessageID>` +
      '<w:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>' +
      '<w:Action e:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>' +
      '<e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>',
  );
}
