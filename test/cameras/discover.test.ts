import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { discoverCameras } from '../../src/cameras/index.js';
import { probeForCameras } from '../../src/cameras/discovery.js';
import { identifyDevices } from '../../src/cameras/identity.js';
import {
  startOnvifDevice,
  type OnvifDevice,
  type OnvifDeviceOptions,
  type OnvifFault,
} from '../../samples/onvif-device.js';
import { capture, haveCaptures } from './captures.js';

const credentials = { user: 'operator', password: 'secret' };
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function device(name: string, over: Partial<OnvifDeviceOptions> = {}): Promise<OnvifDevice & { target: string }> {
  const number = name.length;
  const started = await startOnvifDevice({
    name,
    serial: `SAMPLE-77${number}`,
    mac: `AC:CC:8E:00:00:${String(number).padStart(2, '0')}`,
    manufacturer: 'Sample',
    model: 'S1',
    ...credentials,
    httpPort: 0,
    discoveryPort: 0,
    address: '127.0.0.1',
    multicast: false,
    ...over,
  });
  cleanups.push(() => started.close());
  return { ...started, target: `127.0.0.1:${started.discoveryPort ?? 0}` };
}
/** A UDP peer that answers each probe with what `reply` makes of it. */
async function responder(reply: (probe: string) => Buffer[]): Promise<string> {
  const socket = createSocket('udp4');
  socket.on('message', (probe, { port, address }) => {
    for (const datagram of reply(probe.toString())) socket.send(datagram, port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  cleanups.push(() => void socket.close());
  return `127.0.0.1:${socket.address().port}`;
}
const quick = { multicast: false, timeoutMs: 400, credentialsFor: () => credentials };

describe('discoverCameras', () => {
  it('finds two devices by unicast, each once, with all facts', async () => {
    const [lobby, garage] = [await device('Lobby'), await device('Gårdhave')];
    const result = await discoverCameras({ ...quick, targets: [lobby.target, garage.target] });
    expect(result.problems).toEqual([]);
    expect(result.cameras).toHaveLength(2);
    const found = result.cameras.find(({ urn }) => urn === garage.urn);
    expect(found).toMatchObject({
      urn: garage.urn,
      name: 'Gårdhave',
      address: `http://127.0.0.1:${garage.port}/onvif/device_service`,
      manufacturer: 'Sample',
      model: 'S1',
      serial: 'SAMPLE-778',
      mac: 'ac:cc:8e:00:00:08',
      authenticated: true,
    });
    expect(found?.profiles.map(({ token }) => token)).toEqual(['main', 'sub']);
    expect(Math.abs(found?.clockOffsetMs ?? Infinity)).toBeLessThan(1500);
    // Three probes were answered, and none of the answers made a second camera.
    expect(lobby.asked.filter((operation) => operation === 'Probe')).toHaveLength(3);
  });

  it('finds devices that share port 3702 by multicast, on loopback too', async () => {
    const devices = [await device('Yard', { multicast: true }), await device('Stairs', { multicast: true })];
    const { cameras } = await discoverCameras({ timeoutMs: 600, credentialsFor: () => credentials });
    for (const { urn } of devices) expect(cameras.filter((camera) => camera.urn === urn)).toHaveLength(1);
  });

  it('keeps the identity of a camera that comes back at another address', async () => {
    const before = await device('Lobby');
    const first = await discoverCameras({ ...quick, targets: [before.target] });
    await before.close();
    cleanups.pop();
    const after = await device('Lobby', { httpPort: 0, address: '127.0.0.2' });
    const second = await discoverCameras({ ...quick, targets: [`127.0.0.2:${after.discoveryPort ?? 0}`] });
    const registered = first.cameras.map((camera) => ({ ...camera, cameraId: 'lobby' }));
    expect(identifyDevices(registered, second.cameras)).toEqual([
      {
        outcome: 'changed-address',
        cameraId: 'lobby',
        by: 'serial',
        from: `http://127.0.0.1:${before.port}/onvif/device_service`,
        to: `http://127.0.0.2:${after.port}/onvif/device_service`,
      },
    ]);
  });

  it('reports two devices that claim one serial number', async () => {
    const [one, two] = [
      await device('One', { serial: 'CLONE-1' }),
      await device('Three', { serial: 'CLONE-1', urn: 'urn:uuid:0b1c2d3e-0000-4000-8000-000000000002' }),
    ];
    const { cameras } = await discoverCameras({ ...quick, targets: [one.target, two.target] });
    expect(cameras).toHaveLength(2);
    expect(identifyDevices([], cameras).map(({ outcome }) => outcome)).toEqual(['conflict', 'conflict']);
  });

  it('lists a device whose credentials are wrong, and says what to do', async () => {
    const { target, urn } = await device('Lobby');
    const { cameras, problems } = await discoverCameras({
      ...quick,
      targets: [target],
      credentialsFor: () => ({ user: 'operator', password: 'no' }),
    });
    expect(cameras).toMatchObject([{ urn, name: 'Lobby', serial: null, authenticated: false }]);
    expect(problems).toMatchObject([{ remedy: expect.stringContaining('passwordFile') as unknown }]);
  });

  it('asks named cameras that answer no probe, and joins those that do', async () => {
    const [quiet, loud] = [await device('Quiet'), await device('Loudest')];
    const named = [quiet, loud].map(({ port }) => ({ address: `127.0.0.1:${port}`, credentials }));
    const options = { multicast: false, timeoutMs: 300, targets: [loud.target] };
    const { cameras, problems } = await discoverCameras({
      ...options,
      named: [...named, { address: 'ftp://nothing' }, { address: '127.0.0.1:9' }],
    });
    expect(cameras.map(({ serial, urn }) => [serial, urn]).sort()).toEqual([
      ['SAMPLE-775', null],
      ['SAMPLE-777', loud.urn],
    ]);
    expect(problems.map(({ address }) => address).sort()).toEqual([
      'ftp://nothing',
      'http://127.0.0.1:9/onvif/device_service',
    ]);
  });

  it.each(['malformed', 'entity-bomb', 'deep', 'huge', 'nonsense', 'silent'] as OnvifFault[])(
    'survives a discovery answer that is %s, and finds the others',
    async (kind) => {
      const [bad, good] = [await device('Bad', { faults: { Probe: kind } }), await device('Good')];
      const { cameras, problems } = await discoverCameras({ ...quick, targets: [bad.target, good.target] });
      expect(cameras.map(({ urn }) => urn)).toEqual([good.urn]);
      expect(problems.some(({ address }) => address === bad.target)).toBe(true);
      for (const { remedy } of problems) expect(remedy).not.toContain('fault of the gateway');
    },
  );

  it('reports a target that is unknown, silent or no target', async () => {
    const { problems } = await discoverCameras({
      ...quick,
      timeoutMs: 200,
      targets: ['127.0.0.1:9', 'http://x/', 'host:99999'],
    });
    expect(problems.map(({ address }) => address).sort()).toEqual(['127.0.0.1:9', 'host:99999', 'http://x/']);
  });

  it('stops at once when it is told to', async () => {
    const started = performance.now();
    await discoverCameras({ timeoutMs: 60_000, signal: AbortSignal.timeout(100) });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('probeForCameras', () => {
  const answer = (probe: string, urn: string, xaddr: string, relatesTo = /MessageID>([^<]*)</.exec(probe)?.[1] ?? '') =>
    Buffer.from(
      `<E><Header><RelatesTo>${relatesTo}</RelatesTo></Header><Body><ProbeMatches><ProbeMatch><EndpointReference><Address>${urn}</Address></EndpointReference><XAddrs>${xaddr}</XAddrs></ProbeMatch></ProbeMatches></Body></E>`.replace(
        /(<\/?)E>/g,
        '$1Envelope>',
      ),
    );

  it('takes answers only to its own questions', async () => {
    const target = await responder((probe) => [
      answer(probe, 'urn:uuid:x', 'http://127.0.0.1/', 'uuid:somebody-elses'),
    ]);
    const { candidates, problems } = await probeForCameras({ multicast: false, timeoutMs: 200, targets: [target] });
    expect(candidates).toEqual([]);
    expect(problems.map(({ what }) => what).join()).toContain('does not relate');
  });

  it('counts a device that changes its endpoint reference every time as one, and two that share theirs as two', async () => {
    let count = 0;
    const fickle = await responder((probe) => [answer(probe, `urn:uuid:${String(count++)}`, 'http://127.0.0.1:81/')]);
    const twins = await responder((probe) => [
      answer(probe, 'urn:uuid:same', 'http://127.0.0.1:82/'),
      answer(probe, 'urn:uuid:same', 'http://127.0.0.1:83/'),
    ]);
    const { candidates } = await probeForCameras({ multicast: false, timeoutMs: 300, targets: [fickle, twins] });
    expect(candidates.map(({ address }) => address).sort()).toEqual([
      'http://127.0.0.1:81/',
      'http://127.0.0.1:82/',
      'http://127.0.0.1:83/',
    ]);
  });

  it('does not let a stranger send it elsewhere', async () => {
    const target = await responder((probe) => [
      answer(probe, 'urn:uuid:evil', 'http://169.254.169.254/latest http://203.0.113.5/'),
    ]);
    const { candidates, problems } = await probeForCameras({ multicast: false, timeoutMs: 200, targets: [target] });
    expect(candidates).toEqual([]);
    expect(problems.map(({ what }) => what).join()).toContain('outside its own network');
  });

  it('survives a flood of noise with few problems', async () => {
    const target = await responder(() => Array.from({ length: 500 }, (_, at) => Buffer.from(`noise ${String(at)} <`)));
    const { problems } = await probeForCameras({ multicast: false, timeoutMs: 300, targets: [target] });
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.length).toBeLessThanOrEqual(200);
  });

  it.skipIf(!haveCaptures)('finds the three captured devices, one of which answers from another port', async () => {
    const files = ['probematches-1-from-3702.xml', 'probematches-2-from-ephemeral.xml', 'probematches-3-from-3702.xml'];
    const target = await responder((probe) => {
      const id = /MessageID>uuid:([^<]*)</.exec(probe)?.[1] ?? '';
      return files.map((file) =>
        Buffer.from(
          capture(file)
            .toString()
            .replace(/7edbc3bf-[\da-f-]*/, id),
        ),
      );
    });
    const { candidates, problems } = await probeForCameras({ multicast: false, timeoutMs: 300, targets: [target] });
    expect(problems).toEqual([]);
    expect(candidates.map(({ name }) => name)).toEqual(['TestCam-S1', 'Cardinal', 'Gsoap Café']);
  });
});
