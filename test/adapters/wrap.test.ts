import { describe, expect, test } from 'vitest';
import { type Call, logged, measured, retried } from '../../adapters/wrap.ts';
import { type Fault, PortError } from '../../src/domain/fault.ts';

class Counter {
  calls = 0;
  readonly #faults: Fault[];
  constructor(...faults: Fault[]) {
    this.#faults = faults;
  }
  async read(what: string): Promise<string> {
    this.calls += 1;
    const fault = this.#faults.shift();
    if (fault !== undefined) throw new PortError(fault, 'x.read', `${what} failed`);
    return `${what} ${this.calls}`;
  }
  write(): Promise<string> {
    return this.read('write');
  }
  bug(): Promise<never> {
    return Promise.reject(new Error('oops'));
  }
  sight(): number {
    return this.calls;
  }
}

const fast = { initialDelayMs: 1, maxDelayMs: 2 };

describe('measured', () => {
  test('tells of every call that answers with a promise, and changes nothing', async () => {
    const calls: Call[] = [];
    const port = measured(new Counter('throttled'), 'counter', (call) => calls.push(call));
    await expect(port.read('a')).rejects.toMatchObject({ fault: 'throttled' });
    expect(await port.read('b')).toBe('b 2');
    await expect(port.bug()).rejects.toThrow('oops');
    expect(port.sight()).toBe(2);
    expect(port.calls).toBe(2);
    expect(calls).toMatchObject([
      { port: 'counter', method: 'read', outcome: 'throttled', text: 'a failed' },
      { port: 'counter', method: 'read', outcome: 'ok', text: '' },
      { port: 'counter', method: 'bug', outcome: 'bug', text: 'oops' },
    ]);
    expect(calls.every((call) => call.ms >= 0)).toBe(true);
  });
});

describe('logged', () => {
  test('a line for what failed, without its arguments', async () => {
    const lines: unknown[] = [];
    const log = {
      info: () => undefined,
      warn: (fields: unknown, text: string) => lines.push([fields, text]),
    };
    const port = logged(new Counter('refused'), 'counter', log);
    await port.read('secret').catch(() => undefined);
    await port.read('fine');
    expect(lines).toEqual([
      [{ port: 'counter', method: 'read', ms: expect.any(Number), fault: 'refused' }, 'secret failed'],
    ]);
  });
});

describe('retried', () => {
  test.each(['transient', 'throttled', 'unreachable'] as const)('%s passes', async (fault) => {
    const counter = new Counter(fault, fault);
    expect(await retried(counter, ['read'], fast).read('a')).toBe('a 3');
  });

  test.each(['unknown', 'refused', 'not_found', 'started', 'invalid'] as const)('%s stays', async (fault) => {
    const counter = new Counter(fault);
    await expect(retried(counter, ['read'], fast).read('a')).rejects.toMatchObject({ fault });
    expect(counter.calls).toBe(1);
  });

  test('what is not named is asked once', async () => {
    const counter = new Counter('transient');
    await expect(retried(counter, ['read'], fast).write()).rejects.toMatchObject({ fault: 'transient' });
    expect(counter.calls).toBe(1);
  });

  test('it ends', async () => {
    const counter = new Counter(...Array<Fault>(9).fill('unreachable'));
    await expect(retried(counter, ['read'], fast).read('a')).rejects.toMatchObject({ fault: 'unreachable' });
    expect(counter.calls).toBe(3);
  });

  test('decorators stack: each try is measured', async () => {
    const calls: Call[] = [];
    const inner = measured(new Counter('transient'), 'counter', (call) => calls.push(call));
    expect(await retried(inner, ['read'], fast).read('a')).toBe('a 2');
    expect(calls.map((call) => call.outcome)).toEqual(['transient', 'ok']);
  });
});
