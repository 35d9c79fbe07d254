import { type ReactNode, useState } from 'react';
import { Problem } from '../ask.ts';
import { local } from '../browser.ts';
import { useMe } from '../me.tsx';
import { useTexts } from '../settings.tsx';
import { Dialog } from './dialog.tsx';

/** What stands in the audit of an order. */
export interface Signed {
  readonly by?: string;
  readonly reason: string;
}

/** The fields of a form in which who orders says why, and who he is where the API asks nobody; `signed` is what they hold. */
export function useSigned(): { readonly signed: () => Signed; readonly fields: ReactNode } {
  const texts = useTexts();
  const { open } = useMe();
  const [by, setBy] = useState(() => local.read('by') ?? '');
  const [reason, setReason] = useState('');
  const signed = (): Signed => {
    const name = by.trim();
    if (open) local.write('by', name);
    return { ...(open ? { by: name } : {}), reason: reason.trim() };
  };
  const fields = (
    <>
      {open && (
        <label className="field">
          <span>{texts.order.by}</span>
          <input
            required
            maxLength={100}
            value={by}
            onChange={(e) => setBy(e.target.value)}
            autoComplete="name"
          />
          <small>{texts.order.byHint}</small>
        </label>
      )}
      <label className="field">
        <span>{texts.order.reason}</span>
        <input maxLength={500} value={reason} onChange={(e) => setReason(e.target.value)} />
        <small>{texts.order.reasonHint}</small>
      </label>
    </>
  );
  return { signed, fields };
}

/** Says what an order does before it is given, and asks who gives it where the API asks nobody. */
export function OrderDialog({
  title,
  effects,
  confirm,
  danger = false,
  act,
  onClose,
}: {
  readonly title: string;
  readonly effects: ReactNode;
  readonly confirm: string;
  readonly danger?: boolean;
  readonly act: (signed: Signed) => Promise<unknown>;
  readonly onClose: () => void;
}) {
  const texts = useTexts();
  const { signed, fields } = useSigned();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const send = async (): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await act(signed());
      onClose();
    } catch (e) {
      setProblem(e instanceof Problem ? e.message : String(e));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <div className="effects">{effects}</div>
        {fields}
        {problem !== undefined && (
          <p role="alert" className="problem">
            {texts.order.failed} {problem}
          </p>
        )}
        <footer className="buttons">
          <button type="button" onClick={onClose}>
            {texts.cancel}
          </button>
          <button type="submit" className={danger ? 'danger' : 'primary'} disabled={busy}>
            {confirm}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
