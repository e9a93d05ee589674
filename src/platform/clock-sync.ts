/** Whether this machine's clock is set by a time service, as systemd and the kernel tell. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Written by systemd-timesyncd once it has set the clock since the boot. */
const timesyncdMark = '/run/systemd/timesync/synchronized';

/**
 * Asks systemd, which asks the kernel, and so knows of chrony and ntpd too. Null where nobody can tell: no systemd, or a
 * container that does not reach it. The environment is left out and the program named by its full path: nothing is guessed.
 */
export function clockSynchronised(program = '/usr/bin/timedatectl'): Promise<boolean | null> {
  return new Promise((done) => {
    execFile(
      program,
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: 3000, env: { LC_ALL: 'C' } },
      (error, stdout) => {
        const answer = stdout.trim();
        if (error === null && (answer === 'yes' || answer === 'no')) done(answer === 'yes');
        // Without an answer the mark only says yes; that it is not there says nothing.
        else done(existsSync(timesyncdMark) ? true : null);
      },
    );
  });
}
