import { useState } from 'react';
import type { LoginView } from '../api/portal-schemas.ts';
import { useData } from './data.ts';
import { beginLogin } from './login.ts';
import { type LoginFault, loginFaultOf } from './login-fault.ts';
import type { Login } from './provider.ts';
import { useTexts } from './settings.tsx';

/** Why nobody is signed in: `over` is a login's time, `wrong` a token that the API did not take, with its reason. */
export type Out =
  | { readonly why: 'first' | 'over' | 'out' }
  | { readonly why: 'wrong'; readonly said: string };

/** Where the API asks who one is. */
export function SignIn({
  out,
  fault,
  onToken,
}: {
  readonly out: Out;
  readonly fault: LoginFault | undefined;
  readonly onToken: (token: string) => void;
}) {
  const { signIn } = useTexts();
  const [text, setText] = useState('');
  const login = useData<LoginView>('login', 60_000).value?.oidc;
  return (
    <main className="alone">
      <form
        className="panel form sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== '') onToken(text.trim());
        }}
      >
        <h1>Spillway</h1>
        {out.why === 'over' && <p role="status">{signIn.over}</p>}
        {out.why === 'out' && login !== undefined && <p role="status">{signIn.signedOut(login.name)}</p>}
        {login === undefined ? <p>{signIn.says}</p> : <LoginButton login={login} before={fault} />}
        <label className="field">
          <span>{signIn.token}</span>
          <input
            type="password"
            required
            autoComplete="off"
            spellCheck={false}
            value={text}
            onChange={(e) => setText(e.target.value)}
          />
          <small>{signIn.kept}</small>
        </label>
        {out.why === 'wrong' && (
          <p role="alert" className="problem">
            {signIn.wrong(out.said)}
          </p>
        )}
        <footer className="buttons">
          <button type="submit" className={login === undefined ? 'primary' : undefined}>
            {signIn.submit}
          </button>
        </footer>
        <p className="muted small">{signIn.how}</p>
      </form>
    </main>
  );
}

/** Goes to the identity provider; `before`: what the last time came to. */
function LoginButton({ login, before }: { readonly login: Login; readonly before: LoginFault | undefined }) {
  const { signIn } = useTexts();
  const [fault, setFault] = useState(before);
  const [going, setGoing] = useState(false);
  const begin = async (): Promise<void> => {
    setFault(undefined);
    setGoing(true);
    try {
      await beginLogin(login);
    } catch (e) {
      setFault(loginFaultOf(e));
    }
    // Also where the browser goes: who comes back by himself may go again.
    setGoing(false);
  };
  return (
    <>
      <p>{signIn.saysBoth(login.name)}</p>
      {fault !== undefined && (
        <p role="alert" className="problem">
          {signIn.faults[fault.kind](login.name, fault.message)}
        </p>
      )}
      <button type="button" className="primary" disabled={going} onClick={() => void begin()}>
        {signIn.at(login.name)}
      </button>
    </>
  );
}
