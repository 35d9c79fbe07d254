import type { DryRunView } from '../../../api/policy-schemas.ts';
import { ms } from '../../format.ts';
import { Origin, Panel, useWriters } from '../../parts/figure.tsx';
import { JobLink } from '../../parts/link.tsx';
import { Scroll } from '../../parts/scroll.tsx';
import { useTexts } from '../../settings.tsx';

const shownAtMost = 25;
const verdicts = ['burst', 'wait', 'never'] as const;

/** What a policy would decide on the queue as it is, beside the one that decides. */
export function DryRun({ told, earlier }: { readonly told: DryRunView; readonly earlier: boolean }) {
  const { whatIf, jobs } = useTexts();
  const { n, money } = useWriters();
  return (
    <Panel
      title={whatIf.dry}
      origin={<Origin at={told.clusters[0] && ms(told.clusters[0].at)} source="measured" />}
    >
      {earlier && <p className="pad muted">{whatIf.earlier}</p>}
      {told.clusters.map(({ cluster, running, proposed, changes, changed, judgedInFull }) => (
        <section key={cluster}>
          <p className="pad">
            <strong>{whatIf.dryAt(cluster, changed)}</strong>{' '}
            {verdicts.map((v) => `${whatIf.verdict[v]} ${n(running[v])} → ${n(proposed[v])}`).join(', ')};{' '}
            {whatIf.held} {money(running.heldMicroUsd)} → {money(proposed.heldMicroUsd)}
            {judgedInFull > 0 && <span className="muted"> {whatIf.dryKept(judgedInFull)}</span>}
          </p>
          {changes.length > 0 && (
            <Scroll label={whatIf.dry}>
              <table>
                <thead>
                  <tr>
                    <th scope="col">{jobs.job}</th>
                    <th scope="col">{jobs.user}</th>
                    <th scope="col">{jobs.account}</th>
                    <th scope="col">{whatIf.nowLabel}</th>
                    <th scope="col">{whatIf.thenLabel}</th>
                  </tr>
                </thead>
                <tbody>
                  {changes.slice(0, shownAtMost).map(({ job, user, account, from, to }) => (
                    <tr key={job}>
                      <th scope="row">
                        <JobLink job={job} />
                      </th>
                      <td>{user}</td>
                      <td>{account}</td>
                      <td>{from.text}</td>
                      <td>{to.text}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Scroll>
          )}
          {changed > shownAtMost && <p className="pad muted">{whatIf.dryMore(changed - shownAtMost)}</p>}
        </section>
      ))}
    </Panel>
  );
}
