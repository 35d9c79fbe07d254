/** Threads of this process for what would keep its loop from everybody else. */
import { Worker } from 'node:worker_threads';

/** `what`: a file of this folder without its ending, such as `what-if-worker`; `data`: plain values. From the source a thread needs the loader that its process has. */
export function threadOf(what: string, data: unknown, megabytes: number): Worker {
  const options = {
    ...{ resourceLimits: { maxOldGenerationSizeMb: megabytes }, stdin: false, workerData: data },
  };
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL(`./${what}.js`, import.meta.url), options);
  const file = new URL(`./${what}.ts`, import.meta.url).href;
  const load = `import('tsx/esm/api').then(async ({ register }) => {
    register();
    await import(${JSON.stringify(file)});
  })`;
  return new Worker(load, { ...options, eval: true });
}
