import type { DecisionView } from '../../api/schemas.ts';
import { moment, span } from '../format.ts';
import { useNow, useSettings } from '../settings.tsx';
import { Badge, toneOf } from './badge.tsx';
import { Band, bandTop } from './band.tsx';
import { Origin, useWriters } from './figure.tsx';
import { Scroll } from './scroll.tsx';

/** A decision in words: the verdict, what would have made it yes, every rule, what it was made from, and all of it as it stands in the store. */
export function Receipt({ of, again }: { readonly of: DecisionView; readonly again?: string }) {
  const { texts, language } = useSettings();
  const nowMs = useNow();
  const { job } = texts;
  return (
    <>
      <p className="words-lead">
        <Badge tone={toneOf(of.verdict)}>{texts.decisions.verdict[of.verdict]}</Badge> {of.text}
      </p>
      <p className="muted small pad">
        {again ?? moment(of.at, nowMs, language)} <Origin at={undefined} source="measured" />
      </p>
      {of.kind === 'decision' && <Yes of={of} />}
      <Basis of={of} />
      {of.because.length > 0 && (
        <details className="receipt rules">
          <summary>{job.rulesOf(of.because.filter((r) => !r.pass).length, of.because.length)}</summary>
          <Scroll label={job.rules}>
            <table>
              <caption className="visually-hidden">{job.rules}</caption>
              <thead>
                <tr>
                  <th scope="col">{job.rule}</th>
                  <th scope="col">{job.measured}</th>
                  <th scope="col">{job.limit}</th>
                  <th scope="col" />
                </tr>
              </thead>
              <tbody>
                {of.because
                  .toSorted((a, b) => Number(a.pass) - Number(b.pass))
                  .map((r) => (
                    <tr key={`${r.rule} ${r.measured}`}>
                      <th scope="row">{r.rule}</th>
                      <td className="words">{r.measured}</td>
                      <td className="words">{r.limit}</td>
                      <td>
                        <Badge tone={r.pass ? 'good' : 'warn'}>{r.pass ? job.held : job.failed}</Badge>
                      </td>
                    </tr>
                  ))}
              </tbody>
            </table>
          </Scroll>
        </details>
      )}
      <details className="receipt">
        <summary>{job.full}</summary>
        <pre>{JSON.stringify(of, null, 2)}</pre>
      </details>
    </>
  );
}

/** Each rule that did not hold, with what it needed: all of them, for the answer to have been yes. */
function Yes({ of }: { readonly of: DecisionView }) {
  const { texts } = useSettings();
  const failed = of.because.filter((r) => !r.pass);
  if (of.verdict === 'burst' || failed.length === 0) return null;
  return (
    <div className="yes">
      <h3>{texts.job.yes}</h3>
      <p>{failed.length === 1 ? texts.job.yesOne : texts.job.yesAll}</p>
      <ul>
        {failed.map(({ rule, measured, limit }) => (
          <li key={`${rule} ${measured}`}>
            <strong>{rule}</strong>: {texts.job.limit.toLowerCase()} {limit || '–'};{' '}
            {texts.job.measured.toLowerCase()} {measured || '–'}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Basis({ of }: { readonly of: DecisionView }) {
  const { texts } = useSettings();
  const { money } = useWriters();
  const { forecast, ready, offer, passedOver = [] } = of.basis ?? {};
  if (forecast === undefined && ready === undefined && offer === undefined) return null;
  const starts = forecast?.startsIn;
  return (
    <dl className="facts">
      {starts !== undefined && (
        <div>
          <dt>
            {texts.job.startsIn} <span className="source source-forecast">{texts.source.forecast}</span>
          </dt>
          <dd>
            <Band of={starts} top={bandTop([starts])} />
          </dd>
        </div>
      )}
      {ready !== undefined && (
        <div>
          <dt>
            {texts.job.readyIn}{' '}
            <span className="source">{texts.source[ready.measured > 0 ? 'measured' : 'forecast']}</span>
          </dt>
          <dd>
            {span(ready.p50Ms)} – {span(ready.p90Ms)} ({ready.group})
          </dd>
        </div>
      )}
      {offer !== undefined && (
        <div>
          <dt>
            {texts.job.offer} <span className="source">{texts.source.list}</span>
          </dt>
          <dd>
            {offer.type}, {offer.capacity}
            {offer.expectedMicroUsd !== undefined && `, ${money(offer.expectedMicroUsd)}`}
            {offer.worstMicroUsd !== undefined && ` (${texts.now.atMost(money(offer.worstMicroUsd))})`}
          </dd>
        </div>
      )}
      {passedOver.length > 0 && (
        <div>
          <dt>{texts.decisions.passedOver}</dt>
          <dd>
            {passedOver.map((p) => (
              <span key={`${p.group} ${p.capacity} ${p.type}`} className="block">
                {[p.group, p.type, p.capacity].filter(Boolean).join(' ')}: {p.why}
              </span>
            ))}
          </dd>
        </div>
      )}
    </dl>
  );
}
