import { useState } from 'react';
import { useTexts } from './settings.tsx';

/** Where the API asks who one is. */
export function SignIn({
  wrong,
  onToken,
}: {
  readonly wrong: boolean;
  readonly onToken: (token: string) => void;
}) {
  const { signIn } = useTexts();
  const [text, setText] = useState('');
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
        <p>{signIn.says}</p>
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
        {wrong && (
          <p role="alert" className="problem">
            {signIn.wrong}
          </p>
        )}
        <footer className="buttons">
          <button type="submit" className="primary">
            {signIn.submit}
          </button>
        </footer>
        <p className="muted small">{signIn.how}</p>
      </form>
    </main>
  );
}
