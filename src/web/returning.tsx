import { useEffect, useState } from 'react';
import type { LoginView } from '../api/portal-schemas.ts';
import { go, useAddress } from './address.ts';
import { get } from './ask.ts';
import { endLogin, loginPath } from './login.ts';
import type { LoginFault } from './login-fault.ts';
import { useTexts } from './settings.tsx';

/** The page as the identity provider's answer opens it: for as long as the code in it is redeemed. */
export function Returning({ onEnd }: { readonly onEnd: (fault: LoginFault | undefined) => void }) {
  const { query } = useAddress();
  const [answer] = useState(query);
  const texts = useTexts();
  useEffect(() => {
    // A code is good once: neither a reload nor whoever looks over a shoulder needs it.
    go(loginPath, { replace: true });
    void endLogin(answer, async () => (await get<LoginView>('login')).oidc).then(({ to, fault }) => {
      onEnd(fault);
      go(to, { replace: true });
    });
  }, [answer, onEnd]);
  return (
    <main className="alone" aria-busy="true">
      <p>{texts.signIn.returning}</p>
    </main>
  );
}
