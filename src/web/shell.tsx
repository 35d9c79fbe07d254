import { useCallback, useEffect, useRef, useState } from 'react';
import type { BurstView, StopView } from '../api/schemas.ts';
import { useAddress } from './address.ts';
import { useData } from './data.ts';
import { useKeys } from './keys.ts';
import { useLiveness } from './live.ts';
import { useMe } from './me.tsx';
import { BurstPage } from './pages/burst.tsx';
import { CapacityPage } from './pages/capacity.tsx';
import { DecisionsPage } from './pages/decisions.tsx';
import { JobPage } from './pages/job.tsx';
import { JobsPage } from './pages/jobs.tsx';
import { MoneyPage } from './pages/money.tsx';
import { NowPage } from './pages/now.tsx';
import { WhatIfPage } from './pages/what-if.tsx';
import { Dialog } from './parts/dialog.tsx';
import { Link } from './parts/link.tsx';
import { StopSwitch } from './parts/stop.tsx';
import { themes, useSettings } from './settings.tsx';
import { type Language, languageNames } from './texts.ts';

const pages = [
  ['now', '/'],
  ['jobs', '/jobs'],
  ['decisions', '/decisions'],
  ['money', '/money'],
  ['capacity', '/capacity'],
  ['whatIf', '/what-if'],
] as const;
/** Nothing that a user may ask of the API stands there. */
const forOperators: readonly string[] = ['whatIf'];

function pageOf(path: string): (typeof pages)[number][0] | undefined {
  const [, first = ''] = path.replace(/^\/bursts\//, '/jobs/').split('/');
  return pages.find(([, href]) => href === `/${first}`)?.[0];
}

/** What stands around every page. */
export function Shell({
  unreachable,
  onSignOut,
}: {
  readonly unreachable: boolean;
  readonly onSignOut: (() => void) | undefined;
}) {
  const { texts } = useSettings();
  const { operator } = useMe();
  const address = useAddress();
  const [help, setHelp] = useState(false);
  const content = useRef<HTMLElement>(null);
  useKeys(useCallback(() => setHelp(true), []));
  const stop = useData<{ readonly clusters: readonly StopView[] }>('stop');
  const quotes = useData<{ readonly quotes: readonly BurstView[] }>('quotes');
  const here = pageOf(address.path);
  const waiting = quotes.value?.quotes.length ?? 0;
  const first = useRef(true);
  // A page change is told to a screen reader by the heading that gets the focus.
  useEffect(() => {
    const title = content.current?.querySelector('h1')?.textContent ?? '';
    document.title = title === '' ? 'Spillway' : `${title} · Spillway`;
    if (!first.current) content.current?.focus({ preventScroll: true });
    first.current = false;
    if (address.path !== '') window.scrollTo(0, 0);
  }, [address.path]);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {texts.skip}
      </a>
      <header className="bar">
        <Link href="/" className="brand">
          <Mark />
          Spillway
        </Link>
        <LiveLight />
        <span className="grow" />
        <StopSwitch stops={stop.value?.clusters ?? []} may={operator} />
      </header>
      <nav className="rail" aria-label="Spillway">
        <ul>
          {pages
            .filter(([name]) => operator || !forOperators.includes(name))
            .map(([name, href]) => (
              <li key={name}>
                <Link href={href} aria-current={here === name ? 'page' : undefined}>
                  <span>{texts.pages[name]}</span>
                  {name === 'now' && waiting > 0 && <span className="pill">{waiting}</span>}
                </Link>
              </li>
            ))}
        </ul>
        <Footer onHelp={() => setHelp(true)} onSignOut={onSignOut} />
      </nav>
      <main id="content" ref={content} tabIndex={-1}>
        {unreachable && (
          <p role="alert" className="banner tone-bad">
            {texts.unreachable}
          </p>
        )}
        <Page />
      </main>
      {help && (
        <Dialog title={texts.keys.title} onClose={() => setHelp(false)}>
          <dl className="keys">
            {texts.keys.rows.map(([key, what]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </Dialog>
      )}
    </div>
  );
}

function Page() {
  const { path } = useAddress();
  const { texts } = useSettings();
  const job = /^\/jobs\/([^/]+)$/.exec(path)?.[1];
  if (job !== undefined) return <JobPage key={job} id={decodeURIComponent(job)} />;
  const burst = /^\/bursts\/([^/]+)$/.exec(path)?.[1];
  if (burst !== undefined) return <BurstPage key={burst} id={decodeURIComponent(burst)} />;
  switch (path) {
    case '/':
      return <NowPage />;
    case '/jobs':
      return <JobsPage />;
    case '/decisions':
      return <DecisionsPage />;
    case '/money':
      return <MoneyPage />;
    case '/capacity':
      return <CapacityPage />;
    case '/what-if':
      return <WhatIfPage />;
    default:
      return (
        <div className="page">
          <h1>{texts.notFound}</h1>
          <Link href="/">{texts.home}</Link>
        </div>
      );
  }
}

function LiveLight() {
  const liveness = useLiveness();
  const { texts } = useSettings();
  return (
    <span className={`live live-${liveness}`} role="status">
      <span className="dot" aria-hidden="true" />
      {texts.live[liveness]}
    </span>
  );
}

function Footer({
  onHelp,
  onSignOut,
}: {
  readonly onHelp: () => void;
  readonly onSignOut: (() => void) | undefined;
}) {
  const { texts, language, setLanguage, theme, setTheme } = useSettings();
  const { me } = useMe();
  return (
    <div className="foot">
      <p className="who">
        {me.by === 'open' ? texts.me.open : `${me.name}, ${texts.me.role[me.role]}`}
        {onSignOut !== undefined && (
          <button type="button" className="quiet" onClick={onSignOut}>
            {texts.signIn.out}
          </button>
        )}
      </p>
      <label>
        <span>{texts.language}</span>
        <select value={language} onChange={(e) => setLanguage(e.target.value as Language)}>
          {Object.entries(languageNames).map(([code, name]) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{texts.theme.label}</span>
        <select value={theme} onChange={(e) => setTheme(themes.find((t) => t === e.target.value) ?? 'auto')}>
          {themes.map((t) => (
            <option key={t} value={t}>
              {texts.theme[t]}
            </option>
          ))}
        </select>
      </label>
      <button type="button" className="quiet" onClick={onHelp}>
        {texts.keys.open} <kbd>?</kbd>
      </button>
    </div>
  );
}

const Mark = () => (
  <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
    <rect width="32" height="32" rx="7" className="mark-ground" />
    <path d="M6 12h9c4 0 4 9 8 9h3" className="mark-flow" />
    <path d="M6 20h6" className="mark-rest" />
  </svg>
);
