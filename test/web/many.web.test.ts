/** Many jobs at once on the page: grouped, kept as a view, and acted on, with what becomes of each; and a node group drained. */
import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { PortError } from '../../src/domain/fault.ts';
import { instant, jobRef } from '../../src/domain/ids.ts';
import { Front } from '../../src/engine/front.ts';
import type { UsersPort } from '../../src/ports.ts';
import { cluster, decisionOn, offered, putBurst } from '../api/bed.ts';
import { detail } from '../burst/fixtures.ts';
import { newId } from '../contract/samples.ts';
import { changed, findings, makeWatch } from './bed.ts';

/** What Slurm was asked, and of which jobs it does not answer the first time. */
let slurm: { readonly asked: string[]; readonly silent: Set<string> };
beforeEach(() => {
  slurm = { asked: [], silent: new Set() };
});
const own = {
  estimate: () => Promise.reject(new Error('not asked here')),
  order: async ({ what, ref, user }: { what: string; ref: string; user: string }) => {
    slurm.asked.push(`${what} ${ref} as ${user}`);
    if (slurm.silent.delete(ref)) throw new PortError('unreachable', 'slurm.alter', 'slurmctld is away');
    return { kind: 'done' as const, cluster, ref: jobRef(ref), at: instant(Date.now()) };
  },
};
const watch = makeWatch({ jobs: 60, own, front: frontOf() });

/** Slurm has any job that it is asked of, and cancels it. */
function frontOf(): Front {
  return new Front({
    clusters: [
      {
        ...{ name: cluster, snapshot: undefined, submits: true },
        slurm: { job: async (ref) => detail({ ref }), script: async () => undefined },
        facts: () => Promise.reject(new Error('not asked here')),
        users: {
          cancel: async (user, ref) => void slurm.asked.push(`cancel ${ref} as ${user}`),
        } as Partial<UsersPort> as UsersPort,
      },
    ],
    clock: { now: () => instant(Date.now()) },
    entropy: { uuid: newId },
    orders: { askOrder: async () => undefined, endOrder: async () => undefined },
    ...{ pause: async () => undefined, log: () => undefined },
  });
}

async function visit(path: string, token = watch.operator()): Promise<Page> {
  const { page } = await watch.open({ token });
  await page.goto(path);
  await page.getByText('Live', { exact: true }).waitFor();
  return page;
}

describe('a view', () => {
  it('by rule counts the whole queue, is kept under a name, and is there after a reload, for whoever kept it', async () => {
    const page = await visit('/jobs');
    await page.getByRole('combobox', { name: 'Group by' }).selectOption('rule');
    await page.getByRole('link', { name: /^backlog\s*20/ }).click();
    await page.waitForURL(/rule=backlog/);
    await page.getByText('20 of 20 loaded').waitFor();
    await page.getByRole('button', { name: 'Save this view' }).click();
    const dialog = page.getByRole('dialog', { name: 'Save this view' });
    await dialog.getByLabel('Name of the view').fill('kept by the backlog');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await page.reload();
    const views = page.getByRole('navigation', { name: 'Saved views' });
    const view = views.getByRole('link', { name: 'kept by the backlog' });
    await view.waitFor();
    expect(await view.getAttribute('aria-current')).toBe('true');
    await page.getByText('20 of 20 loaded').waitFor();
    await page.goto('/jobs');
    await page.getByText('60 of 60 loaded').waitFor();
    await view.click();
    await page.getByText('20 of 20 loaded').waitFor();
    expect(await page.getByRole('combobox', { name: 'Group by' }).inputValue()).toBe('rule');
    expect(await findings(page)).toEqual([]);

    const another = await watch.life().token('otto', 'operator');
    await page
      .context()
      .addInitScript(`sessionStorage.setItem('spillway.token', ${JSON.stringify(another)})`);
    await page.goto('/jobs');
    await page.getByText('otto, operator').waitFor();
    expect(await view.count()).toBe(0);
  });

  it.each(['rule', 'partition', 'state'] as const)(
    'by %s tells of how many jobs it is, each counted once, though only some are loaded',
    async (by) => {
      // Of the page's 500 rows the first few, as if there were many more; by rule a job counts not at all or several times.
      const { page } = await watch.open();
      await changed(page, /\/api\/v1\/jobs\?/, (body: { readonly jobs: readonly unknown[] }) => ({
        ...body,
        jobs: body.jobs.slice(0, 7),
      }));
      await page.goto(`/jobs?by=${by}`);
      await page.getByText('7 of 60 loaded').waitFor();
      await page.getByRole('button', { name: 'Choose all 60' }).waitFor();
      await page.goto(`/jobs?by=${by}&account=physics`);
      await page.getByText('7 of 20 loaded').waitFor();
    },
  );

  it('that is removed is gone', async () => {
    const page = await visit('/jobs?account=physics');
    await page.getByRole('button', { name: 'Save this view' }).click();
    await page.getByRole('dialog').getByLabel('Name of the view').fill('mine');
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await page.getByRole('link', { name: 'mine', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Remove view mine' }).click();
    await page.getByRole('link', { name: 'mine', exact: true }).waitFor({ state: 'detached' });
    expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain('mine');
  });
});

describe('many quotes', () => {
  it('are approved after their jobs and dollars were read; one that is refused is told, tried again, and no other with it', async () => {
    const third = offered(1006, 'dave');
    await watch.life().write(putBurst(third, 'offered'), decisionOn(third, { burst: third.id }));
    const [first, second] = watch.life().quoted;
    const page = await visit('/jobs?burst=proposed');
    const keys: string[] = [];
    page.on('request', (r) => {
      if (r.url().endsWith('/approve'))
        keys.push(`${r.url().split('/').at(-2)} ${r.headers()['idempotency-key']}`);
    });
    await page.getByRole('button', { name: 'Choose all 3 that fit' }).click();
    await page.getByText('3 chosen').waitFor();
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Let 3 bursts run in the cloud?' });
    const money = dialog.getByLabel('They would cost');
    await money.getByText('$0.80 and 2 that are not known').waitFor();
    await money.getByText('$7.50').waitFor();
    for (const job of ['1003', '1004', '1006'])
      await dialog.getByRole('row', { name: new RegExp(`^${job} .*\\$2\\.50`) }).waitFor();
    expect(await findings(page)).toEqual([]);
    expect(keys).toEqual([]);
    await watch
      .life()
      .ask(watch.operator(), `bursts/${second?.id}/decline`, { body: { reason: 'too dear' } });
    watch.excuse(/409/);
    await dialog.getByLabel('Reason').fill('a deadline');
    await dialog.getByRole('button', { name: 'Approve 3' }).click();
    await dialog.getByText('2 of 3 done, 1 not.').waitFor();
    const refused = dialog.getByRole('row', { name: /^1004 .*refused.*declined/ });
    await refused.waitFor();
    expect(await findings(page)).toEqual([]);
    for (const burst of [first, third])
      expect((await watch.life().ask(watch.operator(), `bursts/${burst?.id}`)).body.burst).toMatchObject({
        answer: { approved: true, by: expect.stringContaining('olga'), reason: 'a deadline' },
      });
    await dialog.getByRole('button', { name: 'Try that one again' }).click();
    await expect.poll(() => keys.length).toBe(4);
    await dialog.getByRole('button', { name: 'Try that one again' }).waitFor();
    await refused.waitFor();
    // The one that was refused came again, by the key that it had, and nothing else.
    expect(new Set(keys).size).toBe(3);
    expect(keys.filter((k) => k.startsWith(String(second?.id)))).toHaveLength(2);
    await dialog.locator('footer').getByRole('button', { name: 'Close' }).click();
    await page.getByText('1 chosen').waitFor();
  });
});

describe('many jobs', () => {
  it('are chosen and held by keyboard; one whose answer was lost is tried again alone', async () => {
    const page = await visit('/jobs?state=PENDING&user=bob');
    const rows = page.locator('[data-row]');
    await rows.first().waitFor();
    const ids = (await rows.allTextContents()).slice(0, 3);
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press('j');
      await page.keyboard.press('x');
    }
    await page.getByText('3 chosen').waitFor();
    await page.getByRole('button', { name: 'Hold' }).focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Hold 3 jobs?' });
    await dialog.getByText('Slurm is asked as olga').waitFor();
    await dialog.getByText('No burst of these is under way').waitFor();
    slurm.silent.add(String(ids[1]));
    watch.excuse(/50\d/);
    await dialog.getByLabel('Reason').focus();
    await page.keyboard.press('Enter');
    await dialog.getByText('2 of 3 done, 1 not.').waitFor();
    await dialog.getByRole('row', { name: new RegExp(`^${ids[1]} .*no answer`) }).waitFor();
    await dialog.getByRole('button', { name: 'Try that one again' }).click();
    await dialog.getByText('3 of 3 done.').waitFor();
    expect(slurm.asked.toSorted()).toEqual([...ids, ids[1]].map((id) => `hold ${id} as olga`).toSorted());
    await page.keyboard.press('Escape');
    await page.getByText('0 chosen').waitFor();
  });

  it('are cancelled, those that run in the cloud with the dollars that they hold', async () => {
    const page = await visit('/jobs?burst=running');
    await page.getByRole('button', { name: 'Choose all 3 that fit' }).click();
    await page.getByRole('button', { name: 'Cancel jobs' }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel 3 jobs for good?' });
    await dialog.getByText('what runs ends now').waitFor();
    // The three hold 8.75, 10.00 and 11.25 dollars.
    await dialog.getByLabel('Their bursts would cost').getByText('$30.00').waitFor();
    await dialog.getByRole('button', { name: 'Cancel 3' }).click();
    await dialog.getByText('3 of 3 done.').waitFor();
    expect(slurm.asked.toSorted()).toEqual(['1020', '1023', '1026'].map((id) => `cancel ${id} as olga`));
    await dialog.locator('footer').getByRole('button', { name: 'Close' }).click();
    await page.getByText('0 chosen').waitFor();
  });

  it('of which an order is about none say why, and nothing is asked', async () => {
    const page = await visit('/jobs?state=RUNNING');
    await page.getByRole('button', { name: /Choose all 20/ }).click();
    await page.getByRole('button', { name: 'Release' }).click();
    const dialog = page.getByRole('dialog', { name: 'Release 0 jobs?' });
    await dialog.getByText('20 left out: held by nobody.').waitFor();
    expect(await dialog.getByRole('button', { name: /^Release/ }).count()).toBe(0);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(slurm.asked).toEqual([]);
  });

  it('are left when another question is asked: nobody acts on what he does not see', async () => {
    const page = await visit('/jobs?state=RUNNING');
    await page.getByRole('button', { name: /Choose all 20/ }).click();
    await page.getByText('20 chosen').waitFor();
    await page.getByRole('combobox', { name: 'State' }).selectOption('PENDING');
    await page.getByText('0 chosen').waitFor();
  });

  it('that were asked for under another question are not chosen when they are told late', async () => {
    const page = await visit('/jobs');
    await page.getByText('60 of 60 loaded').waitFor();
    let tell = (): void => undefined;
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    // The list itself asks for as many; only what is asked from now on waits.
    await page.route(/api\/v1\/jobs\?limit=500$/, async (route) => {
      await told;
      await route.continue().catch(() => undefined);
    });
    await page.getByRole('button', { name: 'Choose all 60' }).click();
    await page.getByRole('combobox', { name: 'State' }).selectOption('RUNNING');
    await page.getByText('20 of 20 loaded').waitFor();
    const all = page.getByRole('button', { name: 'Choose all 20' });
    expect(await all.isDisabled()).toBe(true);
    tell();
    await expect.poll(() => all.isEnabled()).toBe(true);
    await page.getByText('0 chosen').waitFor();
  });

  it('of his own are what a user may hold, release and cancel; he approves nothing', async () => {
    const page = await visit('/jobs', await watch.life().token('alice', 'user'));
    await page.getByRole('button', { name: /Choose all 10/ }).click();
    const bar = page.getByRole('group', { name: 'Chosen jobs' });
    await bar.getByRole('button', { name: 'Hold' }).waitFor();
    expect(await bar.getByRole('button').allTextContents()).toEqual([
      'Choose all 10 that fit',
      'Choose none',
      'Hold',
      'Release',
      'Cancel jobs',
    ]);
  });
});

describe('a node group', () => {
  it('is drained after it was read what that does, says who did it, and is resumed', async () => {
    const page = await visit('/capacity');
    const switches = page.getByRole('region', { name: 'Drain a node group' });
    await switches.getByRole('button', { name: 'Drain cpu' }).click();
    const dialog = page.getByRole('dialog', { name: 'Drain node group cpu?' });
    await dialog.getByText('In hpc1 nothing is launched in it and nothing new goes there.').waitFor();
    await dialog.getByText(/Of its instances \(4\) the idle ones are given up at once/).waitFor();
    await dialog.getByText(/what runs goes on to its end/).waitFor();
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await watch.life().store.drains(cluster)).toEqual([]);
    await switches.getByRole('button', { name: 'Drain cpu' }).click();
    await dialog.getByLabel('Reason').fill('a driver');
    await dialog.getByRole('button', { name: 'Drain', exact: true }).click();
    await switches.getByText(/by olga.*: a driver/).waitFor();
    expect(await watch.life().store.drains(cluster)).toMatchObject([{ group: 'cpu', why: 'a driver' }]);
    expect(await switches.getByRole('button').allTextContents()).toEqual(['Resume']);
    await page.reload();
    await switches.getByText('drained').waitFor();
    expect(await findings(page)).toEqual([]);
    await switches.getByRole('button', { name: 'Resume cpu' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    await switches.getByRole('button', { name: 'Drain cpu' }).waitFor();
    expect(await watch.life().store.drains(cluster)).toEqual([]);
  });
});
