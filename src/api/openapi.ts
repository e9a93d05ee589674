/** The OpenAPI document, made from the same schemas that check the requests. */
import { z } from 'zod';
import type { Route } from './route.js';

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly unknown[];
}

function jsonSchema(schema: z.ZodType): ObjectSchema {
  const made: Record<string, unknown> = { ...z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) };
  // Said once for the whole document, not for each part of it.
  delete made['$schema'];
  return made;
}

const parameters = (schema: z.ZodType, place: 'path' | 'query'): unknown[] => {
  const { properties = {}, required = [] } = jsonSchema(schema);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
};

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        remedy: { type: 'string' },
        details: { type: 'object' },
        id: { type: 'string' },
      },
    },
  },
};

function operation(route: Route): object {
  const body = jsonSchema(route.body);
  const takesBody = body.anyOf !== undefined || Object.keys(body.properties ?? {}).length > 0;
  return {
    summary: route.summary,
    ...(route.right === null ? { security: [] } : { description: `Needs the right "${route.right}".` }),
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(takesBody ? { requestBody: { required: true, content: { 'application/json': { schema: body } } } } : {}),
    responses: {
      [String(route.status)]: {
        description: 'Done. Every instant stands twice: "…Us" in UTC microseconds and beside it as ISO 8601.',
        content: { [route.answers]: {} },
      },
      default: { description: 'Refused or failed.', content: { 'application/json': { schema: errorSchema } } },
    },
  };
}

/** OpenAPI 3.1 for these routes, and for those of the hook, which has a port of its own. */
export function openApi(routes: readonly Route[], cookie: string, hook: readonly Route[] = []): object {
  const paths: Record<string, Record<string, unknown>> = {};
  const pathOf = (route: Route): string => route.path.replace(/:([A-Za-z]+)/g, '{$1}');
  for (const route of routes) (paths[pathOf(route)] ??= {})[route.method] = operation(route);
  for (const route of hook) {
    (paths[pathOf(route)] ??= {})[route.method] = {
      ...operation(route),
      security: [{ hook: [] }],
      servers: [{ url: 'http://127.0.0.1:{port}', variables: { port: { default: '8731' } } }],
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'tredive', version: '1', description: 'Retention and disclosure of CCTV recordings.' },
    components: {
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: cookie },
        hook: { type: 'http', scheme: 'bearer' },
      },
    },
    security: [{ session: [] }],
    paths,
  };
}
