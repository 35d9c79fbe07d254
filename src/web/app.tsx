import { useCallback, useEffect, useState } from 'react';
import type { MeView } from '../api/portal-schemas.ts';
import { token } from './ask.ts';
import { forgetAll, hearProblems, useData } from './data.ts';
import { endLive, startLive } from './live.ts';
import { MeProvider } from './me.tsx';
import { useTexts } from './settings.tsx';
import { Shell } from './shell.tsx';
import { SignIn } from './sign-in.tsx';

/** Asks who looks, and shows the page or the sign-in form. */
export function App() {
  const texts = useTexts();
  const me = useData<MeView>('me', 60_000);
  /** The API asked for a token, or did not take the one that there was. */
  const [asked, setAsked] = useState<'no' | 'first' | 'wrong'>('no');
  useEffect(() => {
    hearProblems((problem) => {
      if (problem.status !== 401) return;
      setAsked(token.read() === undefined ? 'first' : 'wrong');
      token.write(undefined);
      endLive();
    });
  }, []);
  const known = me.value !== undefined && asked === 'no';
  useEffect(() => {
    if (!known) return undefined;
    startLive();
    return endLive;
  }, [known]);
  const signIn = useCallback((text: string) => {
    token.write(text);
    setAsked('no');
    forgetAll();
  }, []);
  const signOut = useCallback(() => {
    token.write(undefined);
    setAsked('first');
    forgetAll();
  }, []);
  if (asked !== 'no') return <SignIn wrong={asked === 'wrong'} onToken={signIn} />;
  if (me.value === undefined)
    return (
      <main className="alone" aria-busy={me.problem === undefined}>
        <p>{me.problem === undefined ? texts.loading : texts.unreachable}</p>
      </main>
    );
  return (
    <MeProvider me={me.value}>
      <Shell
        unreachable={me.problem?.status === 0}
        onSignOut={me.value.by === 'open' ? undefined : signOut}
      />
    </MeProvider>
  );
}
