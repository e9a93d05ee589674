import '@mantine/core/styles.css';
import './page.css';
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api.js';
import { App } from './app.js';
import { startLanguages } from './i18n.js';
import { theme, variables } from './theme.js';

const nonce = document.querySelector('meta[name="style-nonce"]')?.getAttribute('content') ?? '';
// The library that keeps the page still behind a dialog looks for its nonce under this name.
Object.assign(window, { __webpack_nonce__: nonce });

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the gateway refuses stays refused; only silence is worth asking again.
      retry: (count, error) => count < 2 && error instanceof ApiError && error.code === 'unreachable',
      staleTime: 5_000,
    },
  },
});

await startLanguages();
const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no root');
createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      forceColorScheme="light"
      getStyleNonce={() => nonce}
    >
      <QueryClientProvider client={queries}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
