import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig({
  root: here,
  base: './',
  plugins: [react()],
  build: {
    outDir: fileURLToPath(new URL('../../dist/web', import.meta.url)),
    emptyOutDir: true,
    // The policy of the page allows no inline data where a file will do.
    assetsInlineLimit: 0,
    // It would be an inline script.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
});
