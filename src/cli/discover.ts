import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { discoverCameras, type DiscoverOptions, type NamedCamera } from '../cameras/index.js';
import { registerDiscovered } from '../cameras/register-found.js';
import type { MeasureOptions } from '../cameras/measure-clocks.js';
import type { Config } from '../config.js';
import { toGatewayError } from '../errors.js';
import { count, define, table, withGateway, type CommonOptions } from './command.js';

/** What the configuration says about finding cameras. A password is read when it is needed and kept nowhere. */
export function discoveryOptions(config: Config): DiscoverOptions {
  const named = config.cameras.flatMap(({ onvif }): NamedCamera[] => {
    if (onvif?.address === undefined) return [];
    const { address, user, passwordFile, tlsFingerprint } = onvif;
    return [
      {
        address,
        tlsFingerprint,
        credentials:
          user === undefined || passwordFile === undefined ? undefined : { user, password: firstLine(passwordFile) },
      },
    ];
  });
  return { timeoutMs: config.discovery.seconds * 1000, targets: config.discovery.targets, named };
}

/** How each camera of the register is asked for its time: as the configuration says, else where discovery met it last. */
export function clockTargets(config: Config): MeasureOptions['targetOf'] {
  return (cameraId, address) => {
    const onvif = config.cameras.find(({ id }) => id === cameraId)?.onvif;
    const where = address ?? onvif?.address ?? null;
    // The time is told to anybody: the password stays at home.
    return where === null ? null : { address: where, tlsFingerprint: onvif?.tlsFingerprint };
  };
}

function firstLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    throw toGatewayError(error, `reading the password file ${path}`);
  }
}

export function discover(program: Command): void {
  define<CommonOptions & { register: boolean }>(
    program
      .command('discover')
      .description('find ONVIF cameras on every interface and enter them in the register')
      .option('--no-register', 'only show them'),
    ({ options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const found = await discoverCameras({ ...discoveryOptions(gateway.config), signal });
        const entered = options.register
          ? registerDiscovered(gateway.store, found.cameras)
          : { registered: [], problems: [] };
        const problems = [...found.problems, ...entered.problems];
        const rows = found.cameras.map((camera) =>
          [camera.name, camera.address, camera.manufacturer, camera.model, camera.serial].map((cell) => cell ?? '-'),
        );
        const text = [
          table(['name', 'address', 'manufacturer', 'model', 'serial'], rows),
          `${count(found.cameras.length, 'camera')} found, ${entered.registered.length} new in the register`,
          ...problems.map(({ address, what, remedy }) => `  problem ${address ?? ''}: ${what} ${remedy}`),
        ].join('\n');
        return { json: { cameras: found.cameras, registered: entered.registered, problems }, text };
      }),
  );
}
