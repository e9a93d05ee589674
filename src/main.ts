#!/usr/bin/env node
/** argv -> one file in cli/. ADD A COMMAND HERE. */
import { Command, CommanderError } from 'commander';
import { audit } from './cli/audit.js';
import { camera } from './cli/camera.js';
import { check } from './cli/check.js';
import { discover } from './cli/discover.js';
import { doctor } from './cli/doctor.js';
import { fail } from './cli/command.js';
import { footage } from './cli/footage.js';
import { hold } from './cli/hold.js';
import { hook } from './cli/hook.js';
import { layouts } from './cli/layouts.js';
import { model } from './cli/model.js';
import { oldest } from './cli/oldest.js';
import { protect } from './cli/protect.js';
import { redact } from './cli/redact.js';
import { report } from './cli/report.js';
import { request } from './cli/request.js';
import { restore } from './cli/restore.js';
import { retain } from './cli/retain.js';
import { scan } from './cli/scan.js';
import { serve } from './cli/serve.js';
import { task } from './cli/task.js';
import { user } from './cli/user.js';
import { verify } from './cli/verify.js';
import { GatewayError } from './errors.js';
import { version } from './platform/version.js';

const program = new Command('tredive')
  .description('CCTV recording retention and disclosure gateway')
  .version(version)
  .showHelpAfterError('(see --help)')
  .exitOverride();

for (const add of [
  serve,
  scan,
  retain,
  redact,
  verify,
  audit,
  discover,
  camera,
  oldest,
  report,
  restore,
  check,
  doctor,
  hook,
  layouts,
  model,
  footage,
  request,
  hold,
  protect,
  task,
  user,
])
  add(program);

const json = process.argv.includes('--json');
const wrongWords = (error: CommanderError): GatewayError =>
  new GatewayError('usage', error.message.replace(/^error: /, ''), { remedy: 'See --help.', cause: error });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) await fail(error, json);
  // --help and --version also arrive here, with exit code 0; every other message of commander's is about wrong words.
  else if (error.exitCode === 0) process.exitCode = 0;
  else await fail(wrongWords(error), json, { said: true });
}
