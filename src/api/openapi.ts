import { z } from 'zod';
import type { Operation } from './operation.ts';
import { problemView } from './portal-schemas.ts';

type Json = Record<string, unknown>;

const codes: Readonly<Record<number, string>> = {
  400: 'It is malformed; `field` says where.',
  401: 'No token, or none that is good.',
  403: 'The role does not suffice.',
  404: 'There is none, or none of yours.',
  409: 'Not now: it was answered otherwise, is over, or is still running.',
  412: 'If-Match: it is not as you saw it.',
  413: 'The body is too long.',
  428: 'If-Match is missing.',
  422: 'The Idempotency-Key came with another order before.',
  429: 'Too many requests; Retry-After says when.',
  431: 'Address and headers are longer than 16 KiB.',
  503: 'Something that is needed for it is away; ask again.',
  504: 'No answer came: it may have been done.',
};

/** The second number rises with what is added; the first would be another address. */
const apiVersion = '1.0.0';

/** The document, from the schemas that answer the requests: OpenAPI 3.1, whose schemas are JSON Schema 2020-12. */
export function openapi(operations: readonly Operation[]): Json {
  const paths: Record<string, Json> = {};
  for (const o of operations) {
    const path = `/api/v1${o.path}`;
    paths[path] = { ...paths[path], [o.method]: operationOf(o) };
  }
  paths['/api/v1/events'] = { get: eventsOperation };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Spillway',
      version: apiVersion,
      description: 'What a Slurm cluster overflows into Kubernetes: docs/api.md. Version 1 only grows.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      responses: Object.fromEntries(
        Object.entries(codes).map(([status, description]) => [
          `Problem${status}`,
          {
            description,
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
          },
        ]),
      ),
      schemas: { Problem: shown(problemView, 'output') },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'An API token, or a token of the identity provider. None where the API is open to its own host.',
        },
      },
    },
  };
}

function operationOf(o: Operation): Json {
  const refusals = new Set([400, 403, 431, 503, ...o.refuses]);
  if (o.role !== 'anyone') for (const code of [401, 429]) refusals.add(code);
  if (o.method !== 'get') refusals.add(413);
  const ordered = o.method === 'post' && !o.question;
  if (o.mustMatch) refusals.add(428);
  if (ordered) for (const code of [409, 422]) refusals.add(code);
  if (o.current !== undefined) refusals.add(412);
  return {
    operationId: o.id,
    summary: o.says,
    'x-role': o.role,
    ...(o.role === 'anyone' ? { security: [] } : {}),
    ...(o.sunset === undefined ? {} : { deprecated: true }),
    parameters: [
      ...parametersOf(o.schemas.path, 'path'),
      ...parametersOf(o.schemas.query, 'query'),
      ...headersOf(o),
    ],
    ...(o.schemas.order === undefined
      ? {}
      : {
          requestBody: {
            // Where nothing in it must be given, none at all will do.
            required: !o.schemas.order.safeParse({}).success,
            content: { 'application/json': { schema: shown(o.schemas.order, 'input') } },
          },
        }),
    responses: {
      200: {
        description: 'As asked.',
        ...answered(o),
        content: {
          'application/json': { schema: shown(o.schemas.answer, 'output') },
          ...(o.plain === undefined ? {} : { 'text/plain': { schema: { type: 'string' } } }),
        },
      },
      ...problems(refusals),
    },
  };
}

function answered({ edited, sunset }: Operation): Json {
  const text = { schema: { type: 'string' } };
  const headers = {
    ...(edited ? { ETag: text } : {}),
    ...(sunset === undefined
      ? {}
      : { Sunset: { ...text, description: 'Until when it is answered at least.' } }),
  };
  return Object.keys(headers).length === 0 ? {} : { headers };
}

function problems(statuses: ReadonlySet<number>): Json {
  return Object.fromEntries(
    [...statuses].sort().map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]),
  );
}

function headersOf(o: Operation): Json[] {
  const headers: Json[] = [];
  if (o.method === 'post' && !o.question)
    headers.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: true,
      description: 'New for each order; kept for a day. A repeat with the same key is answered the same.',
      schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' },
    });
  if (o.current !== undefined)
    headers.push({
      name: 'If-Match',
      in: 'header',
      required: o.mustMatch,
      description: 'The ETag of what was seen: 412 if it is not so any more.',
      schema: { type: 'string', pattern: '^"[\\w-]{22}"$' },
    });
  return headers;
}

function parametersOf(schema: z.ZodType, where: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = shown(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...of }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: of,
  }));
}

/** As it stands in the document; a schema may say there how it is shown, where what is written on the wire is text. */
function shown(schema: z.ZodType, io: 'input' | 'output'): Json {
  const made = z.toJSONSchema(schema, {
    io,
    override: ({ zodSchema, jsonSchema }) => {
      const { shown: as } = (z.globalRegistry.get(zodSchema as unknown as z.ZodType) ?? {}) as {
        shown?: Json;
      };
      const json = jsonSchema as Json;
      if (as !== undefined) {
        for (const key of Object.keys(json)) delete json[key];
        Object.assign(json, as);
      }
      // The format says it, and programs read it better.
      if (json.format === 'date-time') delete json.pattern;
      // Answers grow: nobody may be told that there is no more.
      if (io === 'output' && json.additionalProperties === false) delete json.additionalProperties;
    },
  }) as Json;
  delete made.$schema;
  return made;
}

/** A stream is no JSON, so it stands here. */
const eventsOperation: Json = {
  operationId: 'events',
  summary:
    'What happens, as it happens (server-sent events). A user hears of his own bursts and of the stop switch.',
  'x-role': 'user',
  parameters: [
    {
      name: 'Last-Event-ID',
      in: 'header',
      required: false,
      description: 'Goes on behind that event; without it, from now on.',
      schema: { type: 'string', pattern: '^[0-9a-f]{8}\\.[0-9]{1,19}\\.[0-9]{1,15}$' },
    },
  ],
  responses: {
    200: { description: 'Events.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
    ...problems(new Set([400, 401, 403, 429, 431, 503])),
  },
};
