import { randomBytes, randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { roles, type Role } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { hashPassword } from '../platform/password.js';
import { disableUser, findUserByName, insertUser, listUsers } from '../store/users.js';
import { define, table, withGateway, type CommonOptions } from './command.js';
import { passwordFrom } from './identity.js';

export function user(program: Command): void {
  const group = program.command('user').description('who may use the gateway');

  define<CommonOptions & { role: string; passwordFile?: string }>(
    group
      .command('add')
      .description('add a user; without --password-file (or TREDIVE_PASSWORD) a password is made and shown once')
      .argument('<name>')
      .requiredOption(
        '--role <role>',
        `${roles.join(', ')}; several with commas, but nobody is both security and legal`,
      )
      .option('--password-file <file>', 'file with the password in its first line'),
    ({ args: [rawName = ''], options, signal }) =>
      withGateway(options, signal, async ({ store }) => {
        // As a login reads it.
        const name = rawName.trim().normalize('NFC');
        const wanted = options.role.split(',').map((role) => role.trim());
        const unknown = wanted.filter((role) => !(roles as readonly string[]).includes(role));
        if (unknown.length > 0)
          throw new GatewayError('usage', `There is no role "${unknown.join(', ')}".`, {
            remedy: `Use ${roles.join(', ')}.`,
          });
        if (wanted.includes('security') && wanted.includes('legal')) {
          throw new GatewayError('usage', 'Nobody both requests and approves.', {
            remedy: 'Make two users for two people.',
          });
        }
        if (name === '' || name.length > 80)
          throw new GatewayError('usage', 'The name must have 1 to 80 characters.', {});
        const given =
          options.passwordFile === undefined ? process.env['TREDIVE_PASSWORD'] : passwordFrom(options.passwordFile);
        const password = given ?? randomBytes(15).toString('base64url');
        const passwordHash = await hashPassword(password);
        const id = `u-${randomUUID()}`;
        store.act('operator', (note) => {
          if (findUserByName(store.db, name) !== null)
            throw new GatewayError('conflict', `There is a user "${name}" already.`, {
              remedy: 'Choose another name.',
            });
          insertUser(store.db, {
            id,
            name,
            roles: wanted as Role[],
            passwordHash,
            disabledUs: null,
            createdUs: store.clock.nowUs(),
          });
          note('user.added', `user:${id}`, { roles: wanted });
        });
        const shown = given === undefined ? { password } : {};
        const text = `User "${name}" (${wanted.join(', ')}) added.${given === undefined ? ` Password, shown only now: ${password}` : ''}`;
        return { json: { id, name, roles: wanted, ...shown }, text };
      }),
  );

  define(
    group.command('disable').description('a user who has left; what he did stays in the log').argument('<name>'),
    ({ args: [name = ''], options, signal }) =>
      withGateway(options, signal, ({ store }) => {
        const found = findUserByName(store.db, name);
        if (found === null)
          throw new GatewayError('not-found', `There is no user "${name}".`, { remedy: 'See "tredive user list".' });
        store.act('operator', (note) => {
          disableUser(store.db, found.id, store.clock.nowUs());
          note('user.changed', `user:${found.id}`, { disabled: true });
        });
        return Promise.resolve({ json: { id: found.id, name, disabled: true }, text: `User "${name}" is disabled.` });
      }),
  );

  define(group.command('list').description('all users'), ({ options, signal }) =>
    withGateway(options, signal, ({ store }) => {
      const users = listUsers(store.db).map(({ id, name, roles: own, disabledUs }) => ({
        id,
        name,
        roles: own,
        disabled: disabledUs !== null,
      }));
      const rows = users.map((one) => [one.name, one.roles.join(', '), one.disabled ? 'disabled' : '', one.id]);
      return Promise.resolve({ json: { users }, text: table(['name', 'roles', '', 'id'], rows) });
    }),
  );
}
