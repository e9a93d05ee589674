import type { Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { readCamera } from '../../src/cameras/onvif.js';
import { haveCaptures, startReplay, type Peer } from './captures.js';

const credentials = { user: 'operator', password: 'anything' };
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});
async function replay(peer: Peer, variant?: (operation: string) => string, who = true) {
  const { address, server } = await startReplay(peer, variant);
  servers.push(server);
  return readCamera(address, who ? { credentials } : {});
}

describe.skipIf(!haveCaptures)('captured answers of real ONVIF servers', () => {
  it('simple: all facts, though it announces a media2 service that answers in the old way', async () => {
    const facts = await replay('simple');
    expect(facts).toMatchObject({
      manufacturer: 'roleoroleo',
      model: 'TestCam-S1',
      firmware: '2.1.0',
      serial: 'SN-SIMPLE-0001',
      hardwareId: 'SIMPLE-HW',
      mac: null,
      authenticated: true,
      clock: { source: 'Manual' },
    });
    expect(facts.profiles).toEqual([
      {
        token: 'Profile_0',
        name: 'Profile_0',
        encoding: 'H264',
        width: 768,
        height: 576,
        rtspUri: 'rtsp://127.0.0.1:8554/cam1',
      },
      {
        token: 'Profile_1',
        name: 'Profile_1',
        encoding: 'H264',
        width: 384,
        height: 288,
        rtspUri: 'rtsp://127.0.0.1:8554/cam1',
      },
    ]);
  });

  it('node: facts, and a clear problem for what it does not have', async () => {
    const facts = await replay('node');
    expect(facts).toMatchObject({
      manufacturer: 'Onvif',
      model: 'Cardinal',
      serial: 'Lobby1-0000',
      hardwareId: 'Lobby1-1001',
      mac: null,
      clock: { source: 'NTP' },
    });
    expect(facts.profiles.map(({ token, width, rtspUri }) => [token, width, rtspUri])).toEqual([
      ['main_stream', 768, 'rtsp://127.0.0.1:8555/cam2'],
      ['sub_stream', 384, 'rtsp://127.0.0.1:8555/cam2'],
    ]);
    expect(facts.problems.map(({ what }) => what).join()).toContain('refuses GetNetworkInterfaces: TypeError');
  });

  it('gsoap: all facts from services that share one path', async () => {
    const facts = await replay('gsoap');
    expect(facts).toMatchObject({
      manufacturer: 'KoynovStas',
      model: 'GSOAP-CAM',
      firmware: '2.0',
      serial: 'GS-0003',
      hardwareId: 'GSHW',
      mac: null,
    });
    expect(facts.profiles.map(({ token, width }) => [token, width])).toEqual([
      ['Main', 768],
      ['Sub', 384],
    ]);
  });

  it('without credentials: two tell everybody, one says what to do', async () => {
    const noauth = (operation: string) =>
      operation === 'GetDeviceInformation' ? 'GetDeviceInformation-noauth' : operation;
    expect((await replay('gsoap', noauth, false)).serial).toBe('GS-0003');
    expect((await replay('node', noauth, false)).serial).toBe('Lobby1-0000');
    const simple = await replay('simple', noauth, false);
    expect(simple.serial).toBeNull();
    expect(simple.problems.map(({ remedy }) => remedy).join()).toContain('cameras[].onvif.user');
  });

  it('refused streams become problems, with or without a reason', async () => {
    const badToken = (operation: string) => (operation === 'GetStreamUri' ? 'GetStreamUri-badtoken' : operation);
    const about = async (peer: Peer) =>
      (await replay(peer, badToken)).problems
        .filter(({ what }) => what.includes('GetStreamUri'))
        .map(({ what }) => what);
    expect(await about('simple')).toEqual([expect.stringContaining('No profile (Sender/InvalidArgVal/NoProfile)')]);
    expect(await about('gsoap')).toEqual([expect.stringContaining('no reason given (Sender)')]);
    expect(await about('node')).toEqual([]);
  });

  it('works with GetCapabilities alone', async () => {
    const noServices = (operation: string) => (operation === 'GetServices' ? 'absent' : operation);
    for (const peer of ['simple', 'node', 'gsoap'] as const) {
      const facts = await replay(peer, noServices);
      expect(facts.profiles).toHaveLength(2);
      expect(facts.problems.map(({ what }) => what).join()).not.toContain('no ONVIF service');
    }
  });

  it('turns answers to other questions into problems', async () => {
    const answers = ['GetScopes', 'GetSnapshotUri', 'GetServices', 'GetCapabilities', 'GetSystemDateAndTime'];
    for (const peer of ['simple', 'node', 'gsoap'] as const) {
      for (const other of answers) {
        const facts = await replay(peer, (operation) => (operation === 'GetDeviceInformation' ? other : operation));
        expect(facts.serial).toBeNull();
        expect(facts.problems.some(({ what }) => what.includes('GetDeviceInformation'))).toBe(true);
      }
    }
  });
});
