/** Debian's Chromium, driven from outside. Without one these tests say loudly that they did not run; in CI they fail. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { AxeResults, RunOptions } from 'axe-core';
import { expect } from 'vitest';

export const webDir = fileURLToPath(new URL('../../dist/web', import.meta.url));

const path = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

function isThere(): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Which is what is asked.
    return false;
  }
}

export const hasChromium = isThere();
if (!hasChromium) {
  console.warn(`\n!!! NO CHROMIUM at ${path}: THE PAGE IS NOT TESTED. Install it, or name it in CHROMIUM. !!!\n`);
}
export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: path,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

/** A folder for pictures of the page, for a person to look at; none are taken without it. */
const pictures = process.env['TREDIVE_SCREENSHOTS'];

export async function picture(page: Page, name: string): Promise<void> {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

const axeFile = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** No violation that axe knows, in the view as it is now. */
export async function expectAccessible(page: Page): Promise<void> {
  // Through the debugger: the page's own policy would not let a foreign script in.
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(readFileSync(axeFile, 'utf8'));
  const options: RunOptions = { resultTypes: ['violations'] };
  const results: AxeResults = await page.evaluate(`axe.run(document, ${JSON.stringify(options)})`);
  expect(
    results.violations.map(({ id, nodes }) => ({ id, where: nodes.map((node) => [node.html, node.failureSummary]) })),
  ).toEqual([]);
}

export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const { content, shown } = await page.evaluate<{ content: number; shown: number }>(
    '({ content: document.documentElement.scrollWidth, shown: document.documentElement.clientWidth })',
  );
  expect(content).toBeLessThanOrEqual(shown);
}
