/**
 * One list-watch for nodes and one for our pods in each tenant namespace: in namespaces the gateway's rights are
 * those of a RoleBinding, so there is no list over all of them.
 */
import { instant } from '../../src/domain/ids.ts';
import type { NodeView, PodView } from '../../src/domain/kube.ts';
import type { KubernetesEvent, Watch } from '../../src/ports.ts';
import { ListWatch, pause, type Tools } from './listwatch.ts';
import { label } from './names.ts';
import type { TenantReader } from './tenants.ts';
import { nodeView, podView } from './views.ts';

export function watchAll(on: (event: KubernetesEvent) => void, tenants: TenantReader, tools: Tools): Watch {
  const closing = new AbortController();
  const pods = new Map<string, ListWatch<PodView>>();
  let listed: { readonly at: number; readonly names: readonly string[] } | undefined;
  let fault: string | undefined = 'not listed yet';

  const nodes = new ListWatch<NodeView>(
    {
      what: 'nodes',
      path: '/api/v1/nodes',
      read: nodeView,
      on: (node, gone) => on({ kind: 'node', node, gone }),
    },
    tools,
  );
  void look();

  async function look(): Promise<void> {
    const { clock, log, random, tuning } = tools;
    let failures = 0;
    while (!closing.signal.aborted) {
      try {
        const names = await tenants.namespaces();
        if (closing.signal.aborted) return;
        listed = { at: clock.now(), names };
        fault = undefined;
        failures = 0;
        for (const name of names) if (!pods.has(name)) pods.set(name, podsIn(name));
        // A namespace that lost its label is watched for as long as pods of ours are in it.
        for (const [name, watch] of pods)
          if (!names.includes(name) && (watch.refused || watch.items?.length === 0)) {
            pods.delete(name);
            void watch.close();
          }
      } catch (error) {
        if (closing.signal.aborted) return;
        failures += 1;
        fault = error instanceof Error ? error.message : String(error);
        log.warn({ what: 'namespaces', fault, failures }, 'cannot list the tenant namespaces');
      }
      const [least, most] = tuning.backoffMs;
      const wait = failures === 0 ? tuning.namespacesMs : Math.min(most, least * 2 ** Math.min(failures, 16));
      await pause(wait * (0.75 + random() / 4), closing.signal);
    }
  }

  function podsIn(namespace: string): ListWatch<PodView> {
    return new ListWatch<PodView>(
      {
        what: `pods ${namespace}`,
        path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
        selector: label.burst,
        read: podView,
        on: (pod, gone) => on({ kind: 'pod', pod, gone }),
      },
      tools,
    );
  }

  return {
    sight: () => [
      { what: 'namespaces', at: instant(listed?.at ?? 0), fault },
      nodes.sight,
      ...[...pods.values()].map(({ sight }) => sight),
    ],
    nodes: () => nodes.items,
    pods: () => {
      if (listed === undefined) return undefined;
      const all: PodView[] = [];
      for (const watch of pods.values()) {
        // Where we may not look, nothing of ours could be made either; sight() shows the fault.
        if (watch.items === undefined && !watch.refused) return undefined;
        all.push(...(watch.items ?? []));
      }
      return all;
    },
    async close() {
      // A look under way ends by itself and starts nothing any more.
      closing.abort();
      await Promise.all([nodes.close(), ...[...pods.values()].map((watch) => watch.close())]);
    },
  };
}
