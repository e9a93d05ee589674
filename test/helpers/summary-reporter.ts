import type { Reporter, TestModule } from 'vitest/node';

/** Prints one plain closing line, so that a log reader needs no knowledge of vitest: `N passed, N failed, N skipped`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      if (module.state() === 'failed' && [...module.children.allTests()].length === 0) count.failed += 1;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        count[state === 'pending' ? 'skipped' : state] += 1;
      }
    }
    process.stdout.write(
      `\n${String(count.passed)} passed, ${String(count.failed)} failed, ${String(count.skipped)} skipped\n`,
    );
  }
}
