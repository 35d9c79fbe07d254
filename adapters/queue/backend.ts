import type { JobsOptions, WorkerOptions } from 'bullmq';
import type { WakeId } from '../../src/ports.ts';

/** What a job of BullMQ carries. */
export interface Wake {
  readonly id: WakeId;
  readonly due: number;
}

/** What is used of BullMQ's Queue, whatever it runs on. */
export interface Outgoing {
  waitUntilReady(): Promise<unknown>;
  add(name: string, wake: Wake, options: JobsOptions): Promise<unknown>;
  getWaitingCount(): Promise<number>;
  close(): Promise<void>;
}

/** What is used of BullMQ's Worker. */
export interface Incoming {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

/** Where BullMQ keeps its jobs. One for each gateway, opened once. */
export interface Backend {
  queue(onError: (e: unknown) => void): Outgoing;
  worker(
    work: (wake: Wake) => Promise<void>,
    concurrency: number,
    options: Omit<WorkerOptions, 'connection' | 'prefix'>,
    onError: (e: unknown) => void,
  ): Incoming;
  /** Ends what is left of its connections, whatever waits on them. */
  cut(): void;
}
