/** Processes that this one has started, however deep, and what to do with them when something has to go wrong. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Child {
  readonly pid: number;
  readonly command: string;
}

/** Every living process by its id; those that have ended but nobody asked after are not among them. */
function processes(): Map<number, { parent: number; command: string }> {
  const parents = new Map<number, { parent: number; command: string }>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      if (/^State:\s+Z/m.test(status)) continue;
      const parent = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
      parents.set(Number(name), {
        parent,
        command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' '),
      });
    } catch {
      // It has ended meanwhile.
    }
  }
  return parents;
}

/** Living descendants of `ancestor`. */
export function descendants(ancestor = process.pid): Child[] {
  const parents = processes();
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid)?.parent;
    return parent !== undefined && (parent === ancestor || isBelow(parent));
  };
  return [...parents].flatMap(([pid, { command }]) => (isBelow(pid) ? [{ pid, command }] : []));
}

const isFfmpeg = ({ command }: { readonly command: string }): boolean => /ffmpeg/.test(command.split(' ')[0] ?? '');

/** Living ffmpeg processes of this one whose arguments match. */
export const ffmpegs = (argument = /./, ancestor = process.pid): Child[] =>
  descendants(ancestor).filter((child) => isFfmpeg(child) && argument.test(child.command));

/** A process that was told to end takes a moment; whatever is there after many of them is left behind. */
export async function leftBehind(): Promise<Child[]> {
  for (let moment = 0; moment < 200 && ffmpegs().length > 0; moment += 1) await sleep(25);
  return ffmpegs();
}

/** Living ffmpeg processes of anybody whose arguments name `path`: those of a process that was killed are nobody's children. */
export const runningOn = (path: string): Child[] =>
  [...processes()].flatMap(([pid, { command }]) =>
    isFfmpeg({ command }) && command.includes(path) ? [{ pid, command }] : [],
  );
