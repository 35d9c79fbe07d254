import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase } from 'vitest/node';

/** A test of the lab that passed only when it was run again, with what it said the first time. */
export interface Unsteady {
  readonly name: string;
  readonly said: string;
}

/**
 * Writes down what passed only at its second try, to a file: a lane whose machines are real may meet a
 * slow second, and whoever reads the run must see where.
 */
export class UnsteadyReporter implements Reporter {
  readonly #found: Unsteady[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky !== true) return;
    const [first] = test.result().errors ?? [];
    this.#found.push({
      name: `${test.module.relativeModuleId} > ${test.fullName}`,
      said: first?.message ?? 'no word',
    });
  }

  onTestRunEnd(): void {
    writeFileSync(this.#file, JSON.stringify(this.#found));
  }
}
