import type { Command } from 'commander';
import { formatLocal } from '../domain/time.js';
import { assertRight } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { closeTask, openTasks } from '../store/tasks.js';
import { define, table, withGateway } from './command.js';
import { identify, withIdentity, type IdentityOptions } from './identity.js';

export function task(program: Command): void {
  const group = program.command('task').description('what a person has to do');

  define(group.command('list').description('all open tasks'), ({ options, signal }) =>
    withGateway(options, signal, (gateway) => {
      const tasks = openTasks(gateway.store.db);
      const local = (us: number): string => formatLocal(us, gateway.config.site.timezone);
      const rows = tasks.map((one) => [String(one.id), local(one.createdUs), one.kind, one.detail]);
      return Promise.resolve({ json: { tasks }, text: table(['id', 'since', 'kind', 'what to do'], rows) });
    }),
  );

  define<IdentityOptions>(
    withIdentity(group.command('done').description('a task has been seen to (role admin or legal)').argument('<id>')),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const who = await identify(gateway, options);
        assertRight(who, 'task.close');
        const { store } = gateway;
        const closed = store.act(`user:${who.id}`, (note) => {
          const found = openTasks(store.db).find((one) => String(one.id) === id);
          if (found === undefined) {
            throw new GatewayError('not-found', `There is no open task "${id}".`, {
              remedy: 'See "tredive task list".',
            });
          }
          // Where its cause goes on, whoever finds that opens it again.
          closeTask(store.db, found.kind, found.subject, store.clock.nowUs());
          note('task.closed', found.subject, { kind: found.kind });
          return found;
        });
        return { json: { task: closed }, text: `Task ${id} is closed.` };
      }),
  );
}
