import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two cores: more files at once only make the real ffmpeg and onnxruntime runs time out.
    maxWorkers: 2,
    pool: 'forks',
    // Tests that load onnxruntime by themselves; the product sets it by itself.
    env: { ORT_DISABLE_TELEMETRY: '1' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/helpers/summary-reporter.ts'],
  },
});
