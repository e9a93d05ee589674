import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { readCamera, withoutCredentials, deviceServiceUrl } from '../../src/cameras/onvif.js';
import {
  startOnvifDevice,
  type OnvifDevice,
  type OnvifDeviceOptions,
  type OnvifFault,
} from '../../samples/onvif-device.js';

const credentials = { user: 'operator', password: 'rødgrød-med-fløde' };
const running: OnvifDevice[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((device) => device.close()));
});

async function device(over: Partial<OnvifDeviceOptions> = {}): Promise<OnvifDevice & { address: string }> {
  const started = await startOnvifDevice({
    name: 'Lobby',
    serial: '98765432109876543210987',
    mac: 'AC:CC:8E:00:00:01',
    manufacturer: 'Sample & Sons',
    model: 'S1',
    ...credentials,
    httpPort: 0,
    address: '127.0.0.1',
    multicast: false,
    ...over,
  });
  running.push(started);
  return { ...started, address: `http://127.0.0.1:${started.port}/onvif/device_service` };
}

describe('readCamera', () => {
  it.each(['both', 'http-digest', 'username-token'] as const)(
    'reads every fact, authenticating by %s',
    async (authentication) => {
      const { address } = await device({ authentication });
      const facts = await readCamera(address, { credentials });
      expect(facts.problems).toEqual([]);
      expect(facts).toMatchObject({
        address,
        manufacturer: 'Sample & Sons',
        model: 'S1',
        firmware: '1.0.0',
        // Longer than a floating point number holds, which is what the onvif package would make of it.
        serial: '98765432109876543210987',
        hardwareId: 'S1-hw1',
        mac: 'ac:cc:8e:00:00:01',
        authenticated: true,
        clock: { source: 'NTP' },
      });
      expect(facts.profiles).toEqual([
        {
          token: 'main',
          name: 'main',
          encoding: 'H264',
          width: 1280,
          height: 720,
          rtspUri: 'rtsp://127.0.0.1:8554/Lobby',
        },
        {
          token: 'sub',
          name: 'sub',
          encoding: 'H264',
          width: 640,
          height: 360,
          rtspUri: 'rtsp://127.0.0.1:8554/Lobby/sub',
        },
      ]);
      expect(Math.abs(facts.clock?.offsetMs ?? Infinity)).toBeLessThanOrEqual(facts.clock?.uncertaintyMs ?? 0);
    },
  );

  it.each([90_000, -3_600_000])(
    'measures a clock that is %d ms off, and gets in all the same',
    async (clockOffsetMs) => {
      const { address } = await device({ clockOffsetMs, authentication: 'username-token' });
      const { clock, problems, serial } = await readCamera(address, { credentials });
      expect(Math.abs((clock?.offsetMs ?? 0) - clockOffsetMs)).toBeLessThanOrEqual(clock?.uncertaintyMs ?? 0);
      expect(clock?.uncertaintyMs).toBeLessThan(1500);
      expect(serial).not.toBeNull();
      expect(problems).toHaveLength(1);
      expect(problems[0]?.what).toContain(clockOffsetMs > 0 ? 'ahead of' : 'behind');
      expect(problems[0]?.remedy).toContain('NTP');
    },
  );

  it.each(['both', 'http-digest', 'username-token'] as const)(
    'asks only once with a wrong password (%s)',
    async (authentication) => {
      const camera = await device({ authentication });
      const facts = await readCamera(camera.address, { credentials: { user: 'operator', password: 'wrong' } });
      expect(facts).toMatchObject({ authenticated: false, serial: null, mac: null, profiles: [] });
      expect(facts.clock).not.toBeNull();
      expect(facts.problems).toHaveLength(1);
      expect(facts.problems[0]?.what).toContain('refuses the credentials');
      expect(facts.problems[0]?.remedy).toContain('cameras[].onvif.passwordFile');
      // HTTP digest takes a question to get the challenge. Any more would lock the account.
      const tries = camera.asked.filter((operation) => operation !== 'GetSystemDateAndTime');
      expect(tries).toEqual(Array(authentication === 'http-digest' ? 2 : 1).fill('GetDeviceInformation'));
    },
  );

  it('says what to do without credentials, and still measures the clock', async () => {
    const { address } = await device();
    const facts = await readCamera(address);
    expect(facts).toMatchObject({ authenticated: false, serial: null, profiles: [] });
    expect(facts.clock).not.toBeNull();
    expect(facts.problems).toMatchObject([{ remedy: expect.stringContaining('cameras[].onvif.user') as unknown }]);
  });

  const kinds: [OnvifFault, RegExp][] = [
    ['malformed', /not acceptable XML/],
    ['entity-bomb', /document type/],
    ['deep', /deep/],
    ['huge', /more than 1048576 bytes/],
    ['nonsense', /makes sense/],
    ['hang-up', /hung up/],
    ['silent', /within 300 ms/],
    ['drip', /within 300 ms/],
  ];
  it.each(kinds)('survives a device that answers everything with: %s', async (kind, reason) => {
    const { address } = await device({ faults: { '*': kind } });
    const started = performance.now();
    const facts = await readCamera(address, { credentials, timeoutMs: 300, totalTimeoutMs: 2000 });
    expect(performance.now() - started).toBeLessThan(4000);
    expect(facts).toMatchObject({ serial: null, clock: null, profiles: [] });
    expect(facts.problems.length).toBeGreaterThan(0);
    expect(facts.problems[0]?.what).toMatch(kind === 'deep' || kind === 'huge' ? /deep|more than/ : reason);
    expect(facts.problems[0]?.address).toBe(address);
  });

  it.each(kinds)('keeps the other facts where only GetNetworkInterfaces is answered with: %s', async (kind) => {
    const { address } = await device({ faults: { GetNetworkInterfaces: kind } });
    const facts = await readCamera(address, { credentials, timeoutMs: 300 });
    expect(facts).toMatchObject({ serial: '98765432109876543210987', mac: null, authenticated: true });
    expect(facts.problems).toHaveLength(1);
  });

  it('goes by GetCapabilities where GetServices is broken', async () => {
    const { address } = await device({ faults: { GetServices: 'nonsense' } });
    const facts = await readCamera(address, { credentials });
    expect(facts.problems).toEqual([]);
    expect(facts.profiles).toHaveLength(2);
  });

  it('reports a device that is not there, and one that is no ONVIF device', async () => {
    const camera = await device();
    const wrongPath = await readCamera(`http://127.0.0.1:${camera.port}/elsewhere`);
    expect(wrongPath.problems[0]).toMatchObject({ what: expect.stringContaining('no ONVIF service') as unknown });
    await camera.close();
    const gone = await readCamera(camera.address);
    expect(gone).toMatchObject({
      authenticated: null,
      problems: [{ what: expect.stringContaining('nothing listens') as unknown }],
    });
  });

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
    ['endless headers', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`],
    ['a body that breaks off', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<a>'],
    ['a redirect', 'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n'],
  ])('reports a peer that answers with %s', async (_name, bytes) => {
    const server = createNetServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(bytes));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const facts = await readCamera(`127.0.0.1:${port}`, { credentials, timeoutMs: 1000 });
      expect(facts).toMatchObject({ serial: null, clock: null });
      expect(facts.problems[0]?.what).toMatch(/HTTP|hung up|sends us elsewhere/);
    } finally {
      server.close();
    }
  });

  it('refuses addresses and user names it cannot use', async () => {
    await expect(readCamera('ftp://x')).rejects.toMatchObject({ code: 'config-invalid' });
    await expect(readCamera('http://x', { credentials: { user: '<b>', password: '' } })).rejects.toMatchObject({
      code: 'config-invalid',
    });
  });

  it('passes strange profile tokens through unharmed', async () => {
    const stream = { token: 'a<b>&"c', width: 1, height: 1, uri: 'rtsp://u:p@10.0.0.1/x?a=1&b=2' };
    const { address } = await device({ streams: [stream] });
    const facts = await readCamera(address, { credentials });
    expect(facts.problems).toEqual([]);
    expect(facts.profiles[0]).toMatchObject({ token: stream.token, rtspUri: 'rtsp://10.0.0.1/x?a=1&b=2' });
  });
});

describe('withoutCredentials', () => {
  it.each([
    ['rtsp://admin:s3cret@10.0.0.1:554/live', 'rtsp://10.0.0.1:554/live'],
    ['rtsp://10.0.0.1/live?user=admin&password=s3cret&channel=1', 'rtsp://10.0.0.1/live?user=&password=&channel=1'],
    [
      'rtsp://10.0.0.1/user=admin_password=s3cret_channel=1_stream=0.sdp',
      'rtsp://10.0.0.1/user=_password=_channel=1_stream=0.sdp',
    ],
    ['rtsp://10.0.0.1/user=admin&password=s3_cret', 'rtsp://10.0.0.1/user=&password='],
    ['file:///etc/passwd', null],
    ['not an address', null],
    [null, null],
  ])('%j becomes %j', (uri, expected) => {
    expect(withoutCredentials(uri)).toBe(expected);
  });
});

describe('deviceServiceUrl', () => {
  it.each([
    ['10.0.0.1', 'http://10.0.0.1/onvif/device_service'],
    ['10.0.0.1:8000', 'http://10.0.0.1:8000/onvif/device_service'],
    ['https://u:p@cam.local/other', 'https://cam.local/other'],
  ])('%s is %s', (address, expected) => {
    expect(deviceServiceUrl(address)).toBe(expected);
  });
});
