import { z } from 'zod';
import type { Caller } from '../../domain/caller.ts';
import { burstId } from '../../domain/ids.ts';
import type { Output, OutputAsked, OutputSaid, OutputStream } from '../../engine/outputs.ts';
import { type Operation, operation, type Plain } from '../operation.ts';
import { type OutputView, outputQuery, outputView } from '../output-schemas.ts';
import { burstPath } from '../portal-schemas.ts';
import { Refusal } from '../problem.ts';

export interface OutputFacade {
  output(asked: OutputAsked): Promise<OutputSaid>;
}

interface Asked {
  readonly path: { readonly id: string };
  readonly query: { readonly stream: OutputStream; readonly after?: number | undefined };
  readonly caller: Caller;
}

/** Private, unlike all else of a job: an operator sees that it ran, and not what it wrote. */
export function output(own: OutputFacade): readonly Operation[] {
  const read = async ({ path: { id }, query: { stream, after }, caller }: Asked): Promise<Output> => {
    const said = await own.output({ burst: burstId(id), stream, after, caller });
    if (said.kind === 'told') return said.output;
    throw said.kind === 'private'
      ? new Refusal('forbidden', 'Forbidden', { detail: said.why })
      : new Refusal('not_found', 'Not found', { detail: `there is no burst ${id}` });
  };
  return [
    operation({
      ...{ id: 'getOutput', method: 'get', path: '/bursts/{id}/output', role: 'user' },
      says: 'The last of what a burst’s job wrote, while it runs and for some minutes after; for its owner. As text/plain it is the bytes as they are.',
      params: burstPath,
      query: outputQuery,
      answer: z.strictObject({ output: outputView }),
      refuses: [404],
      act: async (asked) => ({ output: viewOf(await read(asked), asked.query.stream) }),
      plain: async (asked) => plainOf(await read(asked)),
    }),
  ];
}

function viewOf({ burst, offset, bytes, ends, missing, over }: Output, stream: OutputStream): OutputView {
  return {
    ...{ burst: burst.id, cluster: burst.cluster, job: burst.ref, stream },
    ...{ offset, next: offset + bytes.length, text: bytes.toString('utf8') },
    ends: { ...ends },
    ...(missing === undefined ? {} : { missing }),
    over,
  };
}

/** What the JSON says of it stands in headers. */
function plainOf({ offset, bytes, missing, over }: Output): Plain {
  return {
    bytes,
    headers: {
      'Spillway-Offset': String(offset),
      'Spillway-Next': String(offset + bytes.length),
      'Spillway-Over': String(over),
      ...(missing === undefined ? {} : { 'Spillway-Missing': missing }),
    },
  };
}
