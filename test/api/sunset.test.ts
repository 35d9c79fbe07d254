/** Nothing is deprecated at present, so this operation is the test's own. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { openapi } from '../../src/api/openapi.ts';
import { operation } from '../../src/api/operation.ts';
import { serve } from '../../src/api/serve.ts';
import { openCaller } from '../../src/domain/caller.ts';

it('what goes with the next version says until when it is answered, in each answer and in the document', async () => {
  const kept = { method: 'get', role: 'user', says: '', answer: z.strictObject({ n: z.number() }) } as const;
  const operations = [
    operation({
      ...{ ...kept, id: 'old', path: '/old', act: async () => ({ n: 1 }) },
      sunset: new Date('2030-01-05T08:00:00Z'),
    }),
    operation({ ...kept, id: 'stays', path: '/stays', act: async () => ({ n: 2 }) }),
  ];
  const app = express();
  const router = express.Router();
  app.use((_req, res, next) => {
    res.locals.caller = openCaller;
    next();
  }, router);
  serve(router, operations, undefined);
  const server: Server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    const ask = (path: string) => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`);
    expect((await ask('old')).headers.get('sunset')).toBe('Sat, 05 Jan 2030 08:00:00 GMT');
    expect((await ask('stays')).headers.has('sunset')).toBe(false);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  const { paths } = openapi(operations) as {
    paths: Record<string, { get: { deprecated?: boolean; responses: Record<string, { headers?: object }> } }>;
  };
  expect(paths['/api/v1/old']?.get.deprecated).toBe(true);
  expect(paths['/api/v1/old']?.get.responses['200']?.headers).toHaveProperty('Sunset');
  expect(paths['/api/v1/stays']?.get.deprecated).toBeUndefined();
});
