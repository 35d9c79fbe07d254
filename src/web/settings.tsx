import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { every, local, now } from './browser.ts';
import { type Language, languages, type Texts } from './texts.ts';

export const themes = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

/** How this browser wants the page. */
export interface Settings {
  readonly language: Language;
  readonly texts: Texts;
  readonly theme: Theme;
  setLanguage(language: Language): void;
  setTheme(theme: Theme): void;
}

const asLanguage = (text: string | undefined): Language | undefined =>
  text !== undefined && Object.hasOwn(languages, text) ? (text as Language) : undefined;

function firstLanguage(): Language {
  const kept = asLanguage(local.read('language'));
  return kept ?? asLanguage(navigator.language.slice(0, 2)) ?? 'en';
}

function firstTheme(): Theme {
  const kept = local.read('theme');
  return themes.find((t) => t === kept) ?? 'auto';
}

const Context = createContext<Settings | undefined>(undefined);

export function SettingsProvider({ children }: { readonly children: ReactNode }) {
  const [language, setLanguage] = useState(firstLanguage);
  const [theme, setTheme] = useState(firstTheme);
  useEffect(() => {
    document.documentElement.lang = language;
    local.write('language', language);
  }, [language]);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    local.write('theme', theme);
  }, [theme]);
  const settings = useMemo(
    () => ({ language, texts: languages[language], theme, setLanguage, setTheme }),
    [language, theme],
  );
  return (
    <Context value={settings}>
      <Ticking>{children}</Ticking>
    </Context>
  );
}

export function useSettings(): Settings {
  const settings = useContext(Context);
  if (settings === undefined) throw new Error('outside of SettingsProvider');
  return settings;
}

export const useTexts = (): Texts => useSettings().texts;

const Now = createContext(0);

/** One clock for all ages on the page. */
function Ticking({ children }: { readonly children: ReactNode }) {
  const [at, setAt] = useState(now);
  useEffect(() => every(1_000, () => setAt(now())), []);
  return <Now value={at}>{children}</Now>;
}

/** Milliseconds since 1970, a second old at most. */
export const useNow = (): number => useContext(Now);
