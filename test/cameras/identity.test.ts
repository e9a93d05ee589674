import { describe, expect, it } from 'vitest';
import {
  identifyDevices,
  usableMac,
  usableSerial,
  type FoundDevice,
  type RegisteredCamera,
} from '../../src/cameras/identity.js';

const registered = (over: Partial<RegisteredCamera>): RegisteredCamera => ({
  cameraId: 'lobby',
  manufacturer: 'Acme',
  serial: 'AC-77120',
  mac: '00:0c:29:aa:bb:01',
  urn: 'urn:uuid:11112222-3333-4444-5555-666677778888',
  address: 'http://10.0.0.5/onvif/device_service',
  ...over,
});
const found = (over: Partial<FoundDevice>): FoundDevice => ({
  address: 'http://10.0.0.5/onvif/device_service',
  manufacturer: 'ACME',
  serial: 'AC-77120',
  urn: 'urn:uuid:11112222-3333-4444-5555-666677778888',
  macs: ['00:0C:29:AA:BB:01'],
  ...over,
});
const decide = (cameras: RegisteredCamera[], ...devices: FoundDevice[]) => identifyDevices(cameras, devices);

describe('identifyDevices', () => {
  it('knows a camera again by serial number', () => {
    expect(decide([registered({})], found({}))).toEqual([{ outcome: 'matched', cameraId: 'lobby', by: 'serial' }]);
  });

  it('keeps the camera when the address changes', () => {
    expect(decide([registered({})], found({ address: 'http://10.0.0.99/onvif/device_service' }))).toEqual([
      {
        outcome: 'changed-address',
        cameraId: 'lobby',
        by: 'serial',
        from: 'http://10.0.0.5/onvif/device_service',
        to: 'http://10.0.0.99/onvif/device_service',
      },
    ]);
  });

  it('knows by MAC where the serial number is none, and by endpoint reference where there is nothing else', () => {
    expect(decide([registered({ serial: '000000' })], found({ serial: 'N/A' }))[0]).toMatchObject({ by: 'mac' });
    const bare = { serial: null, mac: null };
    expect(decide([registered(bare)], found({ serial: null, macs: [] }))[0]).toMatchObject({ by: 'urn' });
  });

  it('never goes by the address alone', () => {
    const other = found({
      serial: 'ZZ-1',
      macs: ['00:0c:29:aa:bb:99'],
      urn: 'urn:uuid:aaaa1111-0000-4000-8000-00000000beef',
    });
    expect(decide([registered({})], { ...other, serial: 'ZZ-19876' })).toEqual([{ outcome: 'new' }]);
    expect(decide([registered({})], found({ serial: null, macs: [], urn: null }))[0]?.outcome).toBe('unidentified');
  });

  it('does not take the endpoint reference against the serial number: cheap devices share it', () => {
    expect(decide([registered({ mac: null })], found({ serial: 'AC-77121', macs: [] }))).toEqual([{ outcome: 'new' }]);
  });

  it('keeps the same serial number of two manufacturers apart', () => {
    expect(decide([registered({ mac: null })], found({ manufacturer: 'Other', macs: [] }))).toEqual([
      { outcome: 'new' },
    ]);
    expect(decide([registered({ manufacturer: null })], found({}))[0]?.outcome).toBe('matched');
  });

  it('asks a person where serial number and MAC contradict each other', () => {
    expect(decide([registered({})], found({ macs: ['00:0c:29:00:00:02'] }))[0]).toMatchObject({
      outcome: 'conflict',
      cameraIds: ['lobby'],
    });
    expect(decide([registered({})], found({ serial: 'AC-99999' }))[0]?.outcome).toBe('conflict');
    const two = [registered({ mac: null }), registered({ cameraId: 'yard', serial: 'AC-2', mac: '00:0c:29:aa:bb:01' })];
    expect(decide(two, found({}))[0]).toMatchObject({ outcome: 'conflict', cameraIds: ['lobby', 'yard'] });
  });

  it('takes any of several network interfaces of the device', () => {
    expect(decide([registered({})], found({ macs: ['00:0c:29:00:00:02', '00:0c:29:aa:bb:01'] }))[0]?.outcome).toBe(
      'matched',
    );
  });

  it('reports two devices that claim the same serial number, registered or not', () => {
    const clone = found({
      address: 'http://10.0.0.6/',
      macs: ['00:0c:29:00:00:02'],
      urn: 'urn:uuid:1234abcd-0000-4000-8000-000000000001',
    });
    for (const cameras of [[], [registered({})]]) {
      const decisions = decide(cameras, found({}), clone);
      expect(decisions.map(({ outcome }) => outcome)).toEqual(['conflict', 'conflict']);
      expect(JSON.stringify(decisions)).toContain('10.0.0.6');
    }
  });

  it('sees one device twice as one', () => {
    const again = found({ address: 'http://192.168.3.5/onvif/device_service' });
    expect(decide([registered({})], found({}), again).map(({ outcome }) => outcome)).toEqual([
      'matched',
      'changed-address',
    ]);
  });

  it('reports two devices that both come out as one camera by different marks', () => {
    const bySerial = found({ macs: [], urn: null });
    const byMac = found({ address: 'http://10.0.0.7/', serial: null, urn: null });
    expect(decide([registered({})], bySerial, byMac).map(({ outcome }) => outcome)).toEqual(['conflict', 'conflict']);
  });
});

describe('usableSerial', () => {
  it.each([
    '',
    '   ',
    '0',
    '000000',
    'N/A',
    'n.a.',
    'none',
    'Unknown',
    '(null)',
    '123456',
    '1234567890',
    'FFFFFFFF',
    'xxxx',
    'default',
    'ABCDEF',
    'To be filled by O.E.M.',
    '0123456789ABCDEF',
    'x'.repeat(200),
    'AC\uFFFD771',
  ])('refuses %j', (serial) => {
    expect(usableSerial(serial)).toBeNull();
  });
  it('keeps real ones, without case and spaces', () => {
    expect(usableSerial(' ac-cc8e 1234 ')).toBe('AC-CC8E1234');
    expect(usableSerial('98320456712300012345678')).toBe('98320456712300012345678');
    expect(usableSerial('000123')).toBe('000123');
  });
});

describe('usableMac', () => {
  it.each([
    ['AC:CC:8E:01:02:03', 'ac:cc:8e:01:02:03'],
    ['ac-cc-8e-01-02-03', 'ac:cc:8e:01:02:03'],
    ['ACCC8E010203', 'ac:cc:8e:01:02:03'],
    ['accc.8e01.0203', 'ac:cc:8e:01:02:03'],
    ['00:00:00:00:00:00', null],
    ['ff:ff:ff:ff:ff:ff', null],
    ['01:00:5e:01:02:03', null],
    ['00:11:22:33:44:55', null],
    ['ac:cc:8e:01:02', null],
    ['ac:cc-8e:01:02:03', null],
    ['', null],
    [null, null],
  ])('%j is %j', (mac, expected) => {
    expect(usableMac(mac)).toBe(expected);
  });
});
