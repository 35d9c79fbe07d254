import { Queue, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import type { Backend, Wake } from './backend.ts';

/** A Redis of version 6.2 or newer; nothing in it must survive its end. `prefix` keeps several installations on one Redis apart. */
export function redisBackend(url: string, name: string, prefix: string): Backend {
  const open = new Set<{ disconnect(): void }>();
  /** BullMQ makes a second connection of a worker's first and closes it only while Redis answers, so that one is noted too. */
  const connect = (over: Partial<Options> = {}): Redis => {
    const client = new Redis(url, { ...common, ...over });
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (override) => {
      const second = duplicate(override);
      open.add(second);
      return second;
    };
    open.add(client);
    return client;
  };
  return {
    queue: (onError) => {
      // A wake that cannot be sent is told at once to who asked for it, and not kept for later.
      const client = connect({ maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: 5_000 });
      const queue = new Queue(name, {
        connection: client,
        prefix,
        streams: { events: { maxLen: 100 } },
      });
      queue.on('error', onError);
      return {
        waitUntilReady: () => firstConnection(client, queue.waitUntilReady()),
        add: (job, wake, options) => queue.add(job, wake, options),
        getWaitingCount: () => queue.getWaitingCount(),
        close: () => queue.close(),
      };
    },
    worker: (work, concurrency, options, onError) => {
      const worker = new Worker<Wake, void>(name, (job) => work(job.data), {
        ...options,
        concurrency,
        connection: connect(),
        prefix,
      });
      worker.on('error', onError);
      return worker;
    },
    cut: () => {
      for (const client of open) client.disconnect();
    },
  };
}

type Options = Omit<RedisOptions, 'replyMapping'>;

const common: Options = {
  connectionName: 'spillway wake',
  connectTimeout: 5_000,
  keepAlive: 10_000,
  // BullMQ asks it of a worker's connections: what they sent waits until Redis is back.
  maxRetriesPerRequest: null,
  retryStrategy: (times) => Math.min(2_000, 50 * 2 ** times),
};

/** ioredis tries for ever; a gateway that starts says at once that nobody answers. */
function firstConnection(client: Redis, ready: Promise<unknown>): Promise<unknown> {
  const failed = new Promise<never>((_, reject) => {
    client.once('error', reject);
  });
  return Promise.race([ready, failed]);
}
