/** The built page: hashed files for ever, the page itself anew each time because it carries this answer's nonce. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import express, { type Express, type Response } from 'express';
import { GatewayError } from '../errors.js';

export const nonceOf = (res: Response): string => String(res.locals['nonce']);

/** Stands in index.html where the nonce of its answer goes. */
const noncePlace = '__STYLE_NONCE__';

export function servePage(app: Express, webDir: string): void {
  let html: string | null = null;
  try {
    html = readFileSync(join(webDir, 'index.html'), 'utf8');
  } catch (error) {
    // The API works without the page; whoever opens it is told what is missing.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  app.get('/', (_req, res) => {
    if (html === null) {
      throw new GatewayError('not-found', 'The page is not built.', { remedy: 'Run "npm run build" and start again.' });
    }
    res
      .set('Cache-Control', 'no-store')
      .type('html')
      .send(html.replaceAll(noncePlace, nonceOf(res)));
  });
  // As it lies on the disk it has no nonce.
  app.get('/index.html', (_req, res) => {
    res.redirect('/');
  });
  app.use(
    '/assets',
    express.static(join(webDir, 'assets'), { index: false, immutable: true, maxAge: '1y', redirect: false }),
  );
  // Beside the hashed files only what a browser asks for by name.
  app.use(express.static(webDir, { index: false, maxAge: '1h', redirect: false, extensions: false }));
}
