/** A visit to the page of a served gateway, with everything that it or its policy reports. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { password, type Served } from '../api/gateway.js';

export interface Visit {
  readonly page: Page;
  /** Errors and warnings of the page and of its policy. */
  readonly troubles: string[];
}

/** A fresh browser profile, logged in and at this place. */
export async function visit(
  browser: Browser,
  served: Served,
  who: { readonly name: string; readonly at: string },
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  await page.goto(`${served.base}/${who.at}`);
  await page.locator('input[autocomplete="username"], input[type="text"]').first().fill(who.name);
  await page.locator('input[type="password"]').fill(password);
  await page.locator('form button[type="submit"]').click();
  await page.locator('input[type="password"]').waitFor({ state: 'detached' });
  return { page, troubles };
}
