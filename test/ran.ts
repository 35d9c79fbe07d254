import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase } from 'vitest/node';

/** Writes to a file the projects of which a test ran: where several share a run, one of them that has none is not seen in its counts. */
export class RanReporter implements Reporter {
  readonly #ran = new Set<string>();
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  onTestCaseResult(test: TestCase): void {
    this.#ran.add(test.project.name);
  }

  onTestRunEnd(): void {
    writeFileSync(this.#file, JSON.stringify([...this.#ran]));
  }
}
