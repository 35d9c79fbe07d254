import { type ReactNode, useEffect, useId, useRef } from 'react';
import { useTexts } from '../settings.tsx';

/** The browser's own modal dialog: it keeps the focus inside, gives it back, and closes by Escape. */
export function Dialog({
  title,
  onClose,
  wide = false,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  /** With a list in it. */
  readonly wide?: boolean;
  readonly children: ReactNode;
}) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  const texts = useTexts();
  useEffect(() => {
    const element = box.current;
    if (element?.open === false) element.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={box} aria-labelledby={id} onClose={onClose} className={wide ? 'dialog wide' : 'dialog'}>
      <header className="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" className="quiet" onClick={onClose} aria-label={texts.close}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}
