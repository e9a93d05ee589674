/** The gateway's HTTP API, as the page uses it. */
import type { ErrorView } from '../api/views.js';

/** A refusal or failure, in the gateway's words. */
export class ApiError extends Error {
  readonly code: string;
  readonly remedy: string | undefined;
  readonly id: string | undefined;

  constructor(code: string, message: string, remedy?: string, id?: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
    this.id = id;
  }
}

const isErrorView = (value: unknown): value is ErrorView =>
  typeof value === 'object' && value !== null && 'error' in value && typeof value.error === 'object';

export async function errorOf(response: Response): Promise<ApiError> {
  let body: unknown = null;
  try {
    body = await response.json();
  } catch {
    // A proxy in between answers in HTML: what can be said is said below.
  }
  if (!isErrorView(body)) return new ApiError('unreachable', `${response.status} ${response.statusText}`);
  const { code, message, remedy, id } = body.error;
  return new ApiError(code, message, remedy, id);
}

export async function call<T>(path: string, method = 'GET', body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    // fetch says only "failed": the words for it are the page's own.
    throw new ApiError('unreachable', '');
  }
  if (!response.ok) throw await errorOf(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}
