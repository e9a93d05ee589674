import type { Command } from 'commander';
import { formatLocal } from '../domain/time.js';
import { finishTask, openTasks } from '../store/tasks.js';
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
        const closed = finishTask(gateway.store, who, id);
        return { json: { task: closed }, text: `Task ${id} is closed.` };
      }),
  );
}
