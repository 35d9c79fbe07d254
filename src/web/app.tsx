import { useCallback, useEffect, useState } from 'react';
import type { MeView } from '../api/portal-schemas.ts';
import { useAddress } from './address.ts';
import type { Problem } from './ask.ts';
import { forgetAll, hearProblems, useData } from './data.ts';
import { token } from './held.ts';
import { endLive, startLive } from './live.ts';
import { forgetBegun, forgetLogin, loginPath, signOutThere } from './login.ts';
import type { LoginFault } from './login-fault.ts';
import { MeProvider } from './me.tsx';
import { forgetWhatIf } from './pages/what-if/use.ts';
import { Returning } from './returning.tsx';
import { useTexts } from './settings.tsx';
import { Shell } from './shell.tsx';
import { type Out, SignIn } from './sign-in.tsx';
import type { Texts } from './texts.ts';

/** The page, unless somebody just comes back from the identity provider. */
export function App() {
  const { path } = useAddress();
  const [fault, setFault] = useState<LoginFault>();
  const forget = useCallback(() => setFault(undefined), []);
  return path === loginPath ? <Returning onEnd={setFault} /> : <Known fault={fault} onToken={forget} />;
}

/** Also that the identity provider cannot be asked now. */
const saidOf = (problem: Problem, texts: Texts): string =>
  problem.status === 0 ? texts.unreachable : problem.message;

function outOf(held: boolean, said: string): Out {
  if (!held) return { why: 'first' };
  return token.over() ? { why: 'over' } : { why: 'wrong', said };
}

/** Asks who looks, and shows the page or the sign-in form. */
function Known({ fault, onToken }: { readonly fault: LoginFault | undefined; readonly onToken: () => void }) {
  const texts = useTexts();
  const me = useData<MeView>('me', 60_000);
  /** The API asked for a token, or did not take the one that there was. */
  const [out, setOut] = useState<Out>();
  useEffect(() => {
    forgetBegun();
    hearProblems((problem) => {
      if (problem.status !== 401) return;
      const held = token.read() !== undefined;
      const next = outOf(held, problem.message);
      // Others that were asked meanwhile are refused, too, and for nothing new.
      setOut((before) => (held ? next : (before ?? next)));
      token.write(undefined);
      forgetLogin();
      forgetWhatIf();
      endLive();
    });
  }, []);
  const known = me.value !== undefined && out === undefined;
  useEffect(() => {
    if (!known) return undefined;
    startLive();
    return endLive;
  }, [known]);
  const signIn = useCallback(
    (text: string) => {
      token.write(text);
      onToken();
      setOut(undefined);
      forgetAll();
    },
    [onToken],
  );
  const signOut = useCallback(() => {
    token.write(undefined);
    forgetWhatIf();
    setOut({ why: 'out' });
    forgetAll();
    signOutThere();
  }, []);
  if (out !== undefined) return <SignIn out={out} fault={fault} onToken={signIn} />;
  if (me.value === undefined)
    return (
      <main className="alone" aria-busy={me.problem === undefined}>
        <p>{me.problem === undefined ? texts.loading : saidOf(me.problem, texts)}</p>
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
