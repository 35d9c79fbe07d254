import { createContext, type ReactNode, useContext } from 'react';
import type { MeView } from '../api/portal-schemas.ts';

/** Who looks at the page, by the API's word. */
export interface Me {
  readonly me: MeView;
  /** The API asks nobody who he is. */
  readonly open: boolean;
  /** May see all, approve and stop. */
  readonly operator: boolean;
}

const Context = createContext<Me | undefined>(undefined);

export function MeProvider({ me, children }: { readonly me: MeView; readonly children: ReactNode }) {
  return <Context value={{ me, open: me.by === 'open', operator: me.role !== 'user' }}>{children}</Context>;
}

export function useMe(): Me {
  const me = useContext(Context);
  if (me === undefined) throw new Error('outside of MeProvider');
  return me;
}
