/** How the morning is shown: a picture that is drawn anew where there is a terminal, plain lines where there is none. */
import type { WriteStream } from 'node:tty';
import { usd } from './check.ts';
import type { Sight } from './gateway.ts';
import { stageNames, stagesOf } from './stages.ts';
import { minutesPerSecond, timeOfDay } from './told.ts';

export interface View {
  /** Since the centre opened. */
  readonly atMs: number;
  readonly queue: readonly {
    readonly partition: string;
    readonly waiting: number;
    readonly running: number;
  }[];
  readonly home: { readonly used: number; readonly of: number };
  /** Containers of users in the cloud, by machine. */
  readonly podsOn: ReadonlyMap<string, number>;
  readonly sight: Sight;
}

export interface Show {
  /** Something happened, at the centre or in the cloud. */
  tell(atMs: number, text: string): void;
  draw(view: View): void;
  /** What follows is written below, and is not drawn over. */
  close(): void;
}

/** Between two lines of figures. */
const everyMs = 4_000;

export function lines(out: { write(text: string): unknown }): Show {
  let last = Number.NEGATIVE_INFINITY;
  return {
    tell: (atMs, text) => void out.write(`${timeOfDay(atMs)}  ${text}\n`),
    draw: (view) => {
      if (view.atMs - last < everyMs) return;
      last = view.atMs;
      const waiting = view.queue.map((q) => `${q.partition} ${q.waiting}`).join(', ');
      const { sight } = view;
      const stages = [...stagesOf(sight.bursts)].flatMap(([name, n]) => (n > 0 ? [`${name} ${n}`] : []));
      const money = sight.budgets.map((b) => `${b.account} ${usd(b.spentMicroUsd)}`).join(', ');
      out.write(
        `${timeOfDay(view.atMs)}    waiting: ${waiting} · bursts: ${stages.join(', ') || 'none'} · ` +
          `machines: ${alive(sight).length} · spent: ${money}\n`,
      );
    },
    close: () => undefined,
  };
}

const alive = ({ instances }: Sight) =>
  instances.filter(({ state }) => state !== 'gone' && state !== 'intended');

const esc = '\u001b[';
const bold = (text: string): string => `${esc}1m${text}${esc}22m`;
const dim = (text: string): string => `${esc}2m${text}${esc}22m`;
const hideCursor = `${esc}?25l`;
const showCursor = `${esc}?25h`;
/** Lines of machines, of decisions and of events, where there is room. */
const most = 6;

export function screen(out: WriteStream): Show {
  const events: string[] = [];
  let drawn = 0;
  let open = false;
  const back = (): string => (drawn === 0 ? `\r${esc}J` : `${esc}${drawn}A\r${esc}J`);
  return {
    tell: (atMs, text) => {
      events.push(`${timeOfDay(atMs)}  ${text}`);
      if (events.length > most) events.shift();
    },
    draw: (view) => {
      const rows = Math.max(2, out.rows - 1);
      const picture = pictureOf(view, events, rows).map((line) => cut(line, out.columns));
      out.write(`${open ? '' : hideCursor}${back()}${picture.join('\n')}\n`);
      drawn = picture.length;
      open = true;
    },
    close: () => {
      if (open) out.write(showCursor);
      open = false;
      drawn = 0;
    },
  };
}

/** No higher than the terminal, and of one height throughout, so that nothing jumps. */
export function pictureOf(view: View, events: readonly string[], rows: number): string[] {
  const { sight, home } = view;
  const stages = stagesOf(sight.bursts);
  const figures = [
    `${bold(timeOfDay(view.atMs))} at the centre   ${dim(`1 s here is ${minutesPerSecond} min there`)}`,
    '',
    bold('queue') + dim('          waiting  running'),
    ...view.queue.map(
      (q) => `  ${q.partition.padEnd(12)}${n(q.waiting, 8)}${n(q.running, 9)}   ${'▪'.repeat(q.waiting)}`,
    ),
    `  ${'at home'.padEnd(12)}${bar(home.used, home.of)} ${home.used} of ${home.of} CPUs`,
    bold('bursts'),
    ...inPairs(stageNames.map((name) => `  ${name.padEnd(18)}${n(stages.get(name) ?? 0, 4)}`)),
    bold('money') + dim('            spent     held   budget'),
    ...sight.budgets.map(
      (b) =>
        `  ${b.account.padEnd(12)}${n(usd(b.spentMicroUsd), 8)}${n(usd(b.heldMicroUsd), 9)}${n(usd(b.limitMicroUsd), 9)}`,
    ),
  ];
  const lists = [
    [
      'newest decisions',
      sight.decisions.map(({ job, user, text }) => `job ${job.padEnd(6)} ${user.padEnd(6)} ${text}`),
    ],
    ['what happened', events],
    ['machines in the cloud', machines(view)],
  ] as const;
  const room = Math.floor((rows - figures.length) / lists.length) - 1;
  const each = Math.max(0, Math.min(most, room));
  const shown = lists.flatMap(([title, all]) => [
    bold(title),
    ...Array.from(
      { length: each },
      (_, i) => `  ${(title === 'what happened' ? all.slice(-each) : all)[i] ?? ''}`,
    ),
  ]);
  return [...figures, ...(each > 0 ? shown : [])].slice(0, rows);
}

const machines = ({ sight, podsOn }: View): string[] =>
  alive(sight).map(({ cloudId = '', type = '', zone = '', state }) => {
    const jobs = podsOn.get(cloudId) ?? 0;
    const busy = jobs === 0 ? '' : jobs === 1 ? '1 job' : `${jobs} jobs`;
    return `${cloudId.padEnd(20)} ${type.padEnd(13)} ${zone.padEnd(10)} ${state.padEnd(12)} ${busy}`;
  });

const inPairs = (all: readonly string[]): string[] =>
  all.flatMap((line, i) => (i % 2 === 0 ? [`${line.padEnd(26)}${all[i + 1] ?? ''}`] : []));

const n = (value: number | string, width: number): string => `${value}`.padStart(width);

function bar(used: number, of: number): string {
  const full = Math.round((used / Math.max(1, of)) * 20);
  return '█'.repeat(full) + '░'.repeat(20 - full);
}

/** To the terminal's width; escape sequences take none. */
export function cut(line: string, columns: number): string {
  let room = columns - 1;
  let text = '';
  for (const piece of line.split(new RegExp(`(${esc.replace('[', '\\[')}[0-9;?]*[a-zA-Z])`))) {
    if (piece.startsWith(esc)) text += piece;
    else {
      const taken = [...piece].slice(0, room);
      room -= taken.length;
      text += taken.join('');
    }
  }
  return text;
}
