import { useCallback, useEffect, useRef, useState } from 'react';
import type { ActivePolicyView, PolicyView } from '../../../api/policy-schemas.ts';
import type { WhatIfView } from '../../../api/what-if-schemas.ts';
import { get, getTagged, order, Problem } from '../../ask.ts';
import { after, session } from '../../browser.ts';

const everyMs = 1_000;

export interface Running {
  readonly clusters: readonly ActivePolicyView[];
  /** Of what decides: an activation names it as what was seen. */
  readonly tag: string;
  readonly policy: PolicyView;
}

export const problemOf = (e: unknown): Problem =>
  e instanceof Problem ? e : new Problem(0, 'failed', String(e));

/** The policy that decides, as it was read with its tag; it stays as it was seen until it is read again. */
export function useRunning(): {
  readonly running: Running | undefined;
  readonly problem: Problem | undefined;
  readonly again: () => void;
} {
  const [running, setRunning] = useState<Running>();
  const [problem, setProblem] = useState<Problem>();
  const [turn, setTurn] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each turn reads it again
  useEffect(() => {
    let left = false;
    const read = async (): Promise<void> => {
      const { value, tag } = await getTagged<{ clusters: ActivePolicyView[] }>('policies/active');
      const name = value.clusters[0]?.decides ?? 'file';
      const { policy } = await get<{ policy: PolicyView }>(`policies/${name}`);
      if (left) return;
      setRunning({ clusters: value.clusters, tag, policy });
      setProblem(undefined);
    };
    read().catch((e) => left || setProblem(problemOf(e)));
    return () => {
      left = true;
    };
  }, [turn]);
  return { running, problem, again: useCallback(() => setTurn((n) => n + 1), []) };
}

/** What somebody writes, and the tag of what decided when he began: an activation names that one as what he saw. */
interface Draft {
  readonly text: string;
  readonly tag: string;
}

const drafts = {
  read: (): Draft | undefined => {
    const kept = session.read('what-if.draft');
    return kept === undefined ? undefined : (JSON.parse(kept) as Draft);
  },
  write: (draft: Draft | undefined) => session.write('what-if.draft', draft && JSON.stringify(draft)),
};

/** Kept over a visit to another page, and over a reload. Only what is read again before somebody's eyes counts as seen by him. */
export function useDraft(running: Running) {
  const [draft, setDraft] = useState(drafts.read);
  const shown = useRef(running);
  useEffect(() => drafts.write(draft), [draft]);
  useEffect(() => {
    if (shown.current === running) return;
    shown.current = running;
    setDraft((d) => d && draftOf(d.text, running.tag, running));
  }, [running]);
  return {
    text: draft?.text ?? running.policy.text,
    tag: draft?.tag ?? running.tag,
    write: (text: string): void => setDraft((d) => draftOf(text, d?.tag ?? running.tag, running)),
  };
}

const draftOf = (text: string, tag: string, { policy }: Running): Draft | undefined =>
  text === policy.text ? undefined : { text, tag };

interface Asked {
  readonly id: string;
  /** The text that is played. */
  readonly text: string;
}

const asked = {
  read: (): Asked | undefined => {
    const kept = session.read('what-if.asked');
    return kept === undefined ? undefined : (JSON.parse(kept) as Asked);
  },
  write: (of: Asked | undefined) => session.write('what-if.asked', of && JSON.stringify(of)),
};

/** Who signs in next in this tab is perhaps somebody else. */
export function forgetWhatIf(): void {
  drafts.write(undefined);
  asked.write(undefined);
}

const isUnderWay = (view: WhatIfView | undefined): boolean =>
  view?.state === 'reading' || view?.state === 'playing';

/** One replay: begun, followed until it is done, also over a visit to another page, and discarded. */
export function useReplay() {
  const [of, setOf] = useState(asked.read);
  const [view, setView] = useState<WhatIfView>();
  const [problem, setProblem] = useState<Problem>();
  const [gone, setGone] = useState(false);
  /** Of the questions that failed: each is asked again. */
  const [turn, setTurn] = useState(0);
  const keep = useCallback((next: Asked | undefined) => {
    asked.write(next);
    setOf(next);
  }, []);
  useEffect(() => {
    if (of === undefined || (view?.id === of.id && !isUnderWay(view))) return undefined;
    let left = false;
    const call = after(view === undefined && turn === 0 ? 0 : everyMs, () => {
      get<WhatIfView>(`what-ifs/${of.id}`)
        .then((next) => left || setView(next))
        .catch((e) => {
          if (left) return;
          if (problemOf(e).status !== 404) return setTurn((n) => n + 1);
          // Somebody discarded it, or the gateway was started since.
          setView(undefined);
          keep(undefined);
          setGone(true);
        });
    });
    return () => {
      left = true;
      call();
    };
  }, [of, view, turn, keep]);
  const begin = async (text: string, days: number): Promise<void> => {
    setProblem(undefined);
    setGone(false);
    try {
      const next = await order<WhatIfView>('POST', 'what-ifs', { text, days });
      setView(next);
      keep({ id: next.id, text });
    } catch (e) {
      setProblem(problemOf(e));
      throw e;
    }
  };
  const discard = async (): Promise<void> => {
    setProblem(undefined);
    setGone(false);
    setView(undefined);
    keep(undefined);
    if (of !== undefined)
      await order('PUT', `what-ifs/${of.id}`, { discarded: true }).catch((e) => setProblem(problemOf(e)));
  };
  return {
    view: of === undefined ? undefined : view,
    text: of?.text,
    problem,
    gone,
    underWay: of !== undefined && isUnderWay(view),
    begin,
    discard,
  };
}
