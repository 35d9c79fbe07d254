import {
  createPostgresBackend,
  type PostgresConnectionOptions,
  type PostgresQueueBackend,
  Queue,
  Worker,
} from 'bullmq';
import type { Backend, Wake } from './backend.ts';

type WakeQueue = Queue<
  Wake,
  void,
  string,
  Wake,
  void,
  string,
  PostgresQueueBackend,
  PostgresConnectionOptions
>;

/** BullMQ's own tables, apart from ours. */
const schema = 'spillway_wake';

/** On the store's own database, without waiting for the disk: a lost wake costs a sweep's delay. */
export function postgresBackend(url: string, name: string): Backend {
  const connection = (max: number, migrate: boolean): PostgresConnectionOptions => ({
    connectionString: url,
    schema,
    migrate,
    max,
    application_name: 'spillway wake',
    options: '-c synchronous_commit=off',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  return {
    queue: (onError) => {
      // The backend must be the last argument: left out, BullMQ speaks Redis without a word.
      const queue: WakeQueue = new Queue(
        name,
        // Nobody listens to BullMQ's events.
        { connection: connection(4, true), streams: { events: { maxLen: 100 } } },
        createPostgresBackend,
      );
      queue.on('error', onError);
      return queue;
    },
    worker: (work, concurrency, options, onError) => {
      const worker = new Worker(
        name,
        (job: { readonly data: Wake }) => work(job.data),
        { ...options, concurrency, connection: connection(concurrency + 2, false) },
        createPostgresBackend,
      );
      worker.on('error', onError);
      return worker;
    },
    // Its pools give up by themselves.
    cut: () => undefined,
  };
}
