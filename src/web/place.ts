/** Which view is shown, kept in the address so that the back button and a bookmark work. */
import { useSyncExternalStore } from 'react';

export type Place =
  | { readonly view: 'cameras' }
  | { readonly view: 'footage' }
  | { readonly view: 'retention'; readonly part: RetentionPart }
  | { readonly view: 'requests' }
  | { readonly view: 'new' }
  | { readonly view: 'holds' }
  | { readonly view: 'new-hold' }
  | { readonly view: 'request'; readonly id: string }
  | { readonly view: 'unknown' };

export const retentionParts = ['now', 'changes', 'reports'] as const;
export type RetentionPart = (typeof retentionParts)[number];

export const hrefOf = {
  cameras: '#/cameras',
  footage: '#/footage',
  retention: (part: RetentionPart): string => (part === 'now' ? '#/retention' : `#/retention/${part}`),
  requests: '#/requests',
  new: '#/requests/new',
  holds: '#/holds',
  newHold: '#/holds/new',
  request: (id: string): string => `#/requests/${encodeURIComponent(id)}`,
} as const;

function read(hash: string): Place {
  if (hash === '' || hash === '#' || hash === '#/' || hash === hrefOf.cameras) return { view: 'cameras' };
  if (hash === hrefOf.footage) return { view: 'footage' };
  const part = retentionParts.find((one) => hash === hrefOf.retention(one));
  if (part !== undefined) return { view: 'retention', part };
  if (hash === hrefOf.requests) return { view: 'requests' };
  if (hash === hrefOf.new) return { view: 'new' };
  if (hash === hrefOf.holds) return { view: 'holds' };
  if (hash === hrefOf.newHold) return { view: 'new-hold' };
  const id = /^#\/requests\/([A-Za-z0-9_-]+)$/.exec(hash)?.[1];
  return id === undefined ? { view: 'unknown' } : { view: 'request', id };
}

export function goTo(href: string): void {
  window.location.hash = href;
}

export function usePlace(): Place {
  const hash = useSyncExternalStore(
    (changed) => {
      window.addEventListener('hashchange', changed);
      return () => {
        window.removeEventListener('hashchange', changed);
      };
    },
    () => window.location.hash,
  );
  return read(hash);
}
