import { useState } from 'react';
import { useAddress } from '../../address.ts';
import { local } from '../../browser.ts';
import { useMe } from '../../me.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Link } from '../../parts/link.tsx';
import { useTexts } from '../../settings.tsx';
import { nameAtMost, readViews, type SavedView, viewQuery, viewsAtMost, withView } from './views.ts';

/** Who looks has views of his own, in this browser. */
function useViews() {
  const { me } = useMe();
  const place = `views.${me.name}`;
  const read = (): readonly SavedView[] => readViews(local.read(place));
  const [views, setViews] = useState(read);
  const keep = (next: readonly SavedView[]): void => {
    local.write(place, next.length === 0 ? undefined : JSON.stringify(next));
    setViews(next);
  };
  return {
    views,
    /** Whether it is kept. What another tab kept meanwhile stays. */
    save(view: SavedView): boolean {
      const next = withView(read(), view);
      if (next !== undefined) keep(next);
      return next !== undefined;
    },
    forget: (name: string) => keep(read().filter((v) => v.name !== name)),
  };
}

/** Views of the list of jobs: each a link, and the present one to be kept. */
export function SavedViews() {
  const { views: words } = useTexts();
  const { query } = useAddress();
  const { views, save, forget } = useViews();
  const [naming, setNaming] = useState(false);
  const here = viewQuery(query);
  return (
    <nav className="views" aria-label={words.title}>
      {views.map((v) => (
        <span key={v.name} className="chip view">
          <Link href={`/jobs?${v.query}`} aria-current={v.query === here ? 'true' : undefined}>
            {v.name}
          </Link>
          <button
            type="button"
            className="quiet"
            aria-label={words.forget(v.name)}
            onClick={() => forget(v.name)}
          >
            ✕
          </button>
        </span>
      ))}
      {here !== '' && !views.some((v) => v.query === here) && (
        <button type="button" className="quiet" onClick={() => setNaming(true)}>
          {words.save}
        </button>
      )}
      {naming && (
        <Naming
          views={views}
          onName={(name) => save({ name, query: here })}
          onClose={() => setNaming(false)}
        />
      )}
    </nav>
  );
}

function Naming({
  views,
  onName,
  onClose,
}: {
  readonly views: readonly SavedView[];
  readonly onName: (name: string) => boolean;
  readonly onClose: () => void;
}) {
  const { views: words, cancel } = useTexts();
  const [name, setName] = useState('');
  const [full, setFull] = useState(false);
  const there = views.some((v) => v.name === name.trim());
  return (
    <Dialog title={words.save} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() === '') return;
          if (onName(name.trim())) onClose();
          else setFull(true);
        }}
      >
        <label className="field">
          <span>{words.name}</span>
          <input required maxLength={nameAtMost} value={name} onChange={(e) => setName(e.target.value)} />
          <small>{there ? words.replaces : words.kept}</small>
        </label>
        {full && (
          <p role="alert" className="problem">
            {words.full(viewsAtMost)}
          </p>
        )}
        <footer className="buttons">
          <button type="button" onClick={onClose}>
            {cancel}
          </button>
          <button type="submit" className="primary">
            {words.keep}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
