import { createTheme, type CSSVariablesResolver } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'sea',
  primaryShade: 7,
  colors: {
    sea: ['#eaf6f9', '#d7eaef', '#addbe6', '#80c5d6', '#55abc0', '#2f8ea6', '#177089', '#0d5c74', '#0b4a5f', '#08374a'],
  },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif',
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
});

/** Grey text that can be read: the library's own is below a contrast of 4.5. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#4f5b66',
    '--mantine-color-placeholder': '#667380',
    '--mantine-color-error': '#b3261e',
  },
  dark: {},
});
