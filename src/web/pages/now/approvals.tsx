import { useState } from 'react';
import type { BurstView } from '../../../api/schemas.ts';
import { order } from '../../ask.ts';
import { type Answer, refresh } from '../../data.ts';
import { ms, span } from '../../format.ts';
import { useMe } from '../../me.tsx';
import { Origin, Panel, useWriters } from '../../parts/figure.tsx';
import { JobLink } from '../../parts/link.tsx';
import { OrderDialog, type Signed } from '../../parts/order.tsx';
import { useNow, useTexts } from '../../settings.tsx';

/** Quotes that wait for a person's word, the one that ends first in front. */
export function Approvals({
  quotes,
}: {
  readonly quotes: Answer<{ readonly quotes: readonly BurstView[] }>;
}) {
  const { now } = useTexts();
  const [asked, setAsked] = useState<{ readonly burst: BurstView; readonly yes: boolean }>();
  const open = quotes.value?.quotes ?? [];
  return (
    <>
      {open.length > 0 && (
        <Panel
          title={now.approvals}
          origin={<Origin at={quotes.at} source="forecast" />}
          className="approvals"
        >
          <ul className="rows">
            {open.map((burst) => (
              <Row key={burst.id} burst={burst} onAsk={(yes) => setAsked({ burst, yes })} />
            ))}
          </ul>
        </Panel>
      )}
      {/* Beside the list: who is being asked is told that somebody was faster, though the list is gone. */}
      {asked !== undefined && <Say {...asked} onClose={() => setAsked(undefined)} />}
    </>
  );
}

function Row({ burst, onAsk }: { readonly burst: BurstView; readonly onAsk: (yes: boolean) => void }) {
  const { now } = useTexts();
  const { money } = useWriters();
  const { operator } = useMe();
  const nowMs = useNow();
  const { quote, job, name, user, account } = burst;
  const left = ms(quote?.until ?? burst.since) - nowMs;
  return (
    <li className="approval">
      <div className="approval-what">
        <strong>
          <JobLink job={job} />
        </strong>{' '}
        <span className="ellipsis">{name}</span>
        <span className="muted">
          {user} · {account}
        </span>
      </div>
      <p className="approval-why">{quote?.why}</p>
      <div className="approval-cost">
        <strong>
          {quote?.maxMicroUsd === undefined ? now.noPrice : now.atMost(money(quote.maxMicroUsd))}
        </strong>
        <span className={left < 300_000 ? 'soon' : 'muted'}>
          {left > 0 ? now.expires(span(left)) : now.expired}
        </span>
      </div>
      {operator && (
        <div className="buttons">
          <button type="button" onClick={() => onAsk(false)} aria-label={`${now.decline}: ${job}`}>
            {now.decline}
          </button>
          <button
            type="button"
            className="primary"
            onClick={() => onAsk(true)}
            aria-label={`${now.approve}: ${job}`}
          >
            {now.approve}
          </button>
        </div>
      )}
    </li>
  );
}

function Say({
  burst,
  yes,
  onClose,
}: {
  readonly burst: BurstView;
  readonly yes: boolean;
  readonly onClose: () => void;
}) {
  const { now } = useTexts();
  const { money } = useWriters();
  const act = async (signed: Signed): Promise<void> => {
    await order('POST', `bursts/${burst.id}/${yes ? 'approve' : 'decline'}`, signed);
    refresh();
  };
  const most = burst.quote?.maxMicroUsd;
  return (
    <OrderDialog
      title={yes ? now.approveTitle(burst.job) : now.declineTitle(burst.job)}
      confirm={yes ? now.approve : now.decline}
      act={act}
      onClose={onClose}
      effects={
        <>
          <p>
            <strong>{burst.name}</strong> · {burst.user} · {burst.account}
            {most !== undefined && ` · ${now.atMost(money(most))}`}
          </p>
          <p>{yes ? now.approveEffect : now.declineEffect}</p>
        </>
      }
    />
  );
}
