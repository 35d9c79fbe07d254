import { isIP } from 'node:net';
import { z } from 'zod';
import { form, list, oneOf, size, text, whole } from './units.ts';

/** Whom `spillway tenants` sets up a namespace for, and what is in it. */

const name = (doc: string, what: string) => form(doc, /^[A-Za-z0-9_.@-]+$/, `write the name of one ${what}`);

const fromSlurm = z.strictObject({
  cluster: text(
    'Of several clusters, which one; the first if left out.',
    'write a name under clusters',
  ).optional(),
  accounts: list('Only users of these accounts.', name('An account.', 'account'), 0, '[physics]').default([]),
  partitions: list(
    'Only users whose account may use one of these (AllowAccounts, DenyAccounts; AllowGroups is not looked at).',
    name('A partition.', 'partition'),
    0,
    '[batch]',
  ).default([]),
  users: list('Only these users.', name('A user.', 'user'), 0, '[alice]').default([]),
  except: list('Not these.', name('A user.', 'user'), 0, '[guest]').default([]),
  minUid: whole('Users with a lower uid are left out.', 1, 2 ** 32 - 2).default(1000),
});

const users = z
  .strictObject({
    slurm: fromSlurm
      .optional()
      .describe("Slurm's associations; uid and groups as the login node's name service has them."),
    csv: text(
      'Or a file: user,uid,gid,groups, the groups with spaces between them.',
      'write the path of a file',
    ).optional(),
  })
  .superRefine((u, ctx) => {
    if ((u.slurm === undefined) === (u.csv === undefined))
      ctx.addIssue({ code: 'custom', message: 'write one of slurm: { accounts: [physics] } and csv: FILE' });
  });

const cidr = (doc: string) =>
  z
    .string({ error: 'not text; write addresses such as 10.0.0.0/8' })
    .refine(isCidr, {
      error: (e) => `"${String(e.input)}" is no range of addresses; write such as 10.0.0.0/8`,
    })
    .describe(doc);

function isCidr(text: string): boolean {
  const [address = '', bits = '', more] = text.split('/');
  const kind = isIP(address);
  return (
    kind !== 0 && more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= (kind === 4 ? 32 : 128)
  );
}

const egress = z
  .strictObject({
    cidr: cidr('Addresses that pods may connect to.'),
    except: list('But not these.', cidr('Addresses.'), 0, '[169.254.169.254/32]').default([]),
    ports: list(
      'Only to these ports.',
      z.strictObject({
        port: whole('A port.', 1, 65535),
        protocol: oneOf('Its protocol.', ['TCP', 'UDP']).default('TCP'),
      }),
      0,
      '[{ port: 443 }]',
    ).default([]),
  })
  .describe('One range.');

/** Instances hand out their role's credentials at these. */
const usualEgress = [
  { cidr: '0.0.0.0/0', except: ['169.254.169.254/32'], ports: [] },
  { cidr: '::/0', except: ['fd00:ec2::254/128'], ports: [] },
];

const sources = ['nfs', 'csi', 'hostPath'] as const;

const claim = z
  .strictObject({
    claim: form(
      'Its name, as in mounts.',
      /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
      'write up to 40 small letters, digits and -',
    ),
    size: size('What it is said to hold; a shared file system does not look at it.').prefault('1TiB'),
    accessMode: oneOf('As in Kubernetes.', ['ReadWriteMany', 'ReadOnlyMany', 'ReadWriteOnce']).default(
      'ReadWriteMany',
    ),
    volume: z
      .record(z.string(), z.unknown(), { error: 'write such as { nfs: { server: nas1, path: /home } }' })
      .optional()
      .describe(
        `The shared file system, as in a PersistentVolume: nfs, csi or hostPath; \${user}, \${uid} and \${gid} in its texts are the user’s. hostPath needs a right of its own (docs/admin.md).`,
      ),
    mountOptions: list(
      'With volume: how it is mounted.',
      text('An option.', 'write such as nfsvers=4.1'),
      0,
      '[nfsvers=4.1]',
    ).default([]),
    storageClass: text(
      'Or a class that makes a new, empty volume for each user.',
      'write the name of a StorageClass',
    ).optional(),
  })
  .transform((c, ctx) => {
    const { claim: claimName, size: bytes, accessMode, volume, mountOptions, storageClass } = c;
    const refuse = (path: string[], message: string) => {
      ctx.addIssue({ code: 'custom', path, message });
      return z.NEVER;
    };
    const base = { claim: claimName, bytes, accessMode };
    if (storageClass !== undefined && volume === undefined && mountOptions.length === 0)
      return { ...base, from: { kind: 'storageClass' as const, name: storageClass } };
    if (volume === undefined || storageClass !== undefined)
      return refuse(
        [],
        'write one of volume: { nfs: { … } } and storageClass: NAME; mountOptions belong to volume',
      );
    const keys = Object.keys(volume);
    const [source] = keys;
    if (keys.length !== 1 || !sources.some((one) => one === source))
      return refuse(['volume'], `holds ${keys.join(', ') || 'nothing'}; write one of ${sources.join(', ')}`);
    return { ...base, from: { kind: 'volume' as const, source: volume, mountOptions } };
  });

export const tenants = z
  .strictObject({
    kubeconfig: text(
      'The identity that sets tenants up (service account tenants, deploy/kubernetes/tenants.yaml), never the gateway’s.',
      'write the path of a file',
    ),
    context: text('A context in it; its current one if left out.', 'write the name of a context').optional(),
    users,
    labels: z
      .record(
        form(
          'A label.',
          /^([a-z0-9.-]+\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/,
          'write a label, such as example.org/team',
        ),
        form(
          'Its value.',
          /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/,
          'write up to 63 letters, digits and -_.',
        ),
      )
      .refine(
        (labels) =>
          Object.keys(labels).every(
            (key) => !/^(spillway\.dev|pod-security\.kubernetes\.io|app\.kubernetes\.io)\//.test(key),
          ),
        {
          error:
            'labels under spillway.dev, pod-security.kubernetes.io and app.kubernetes.io are not yours to set; leave them out',
        },
      )
      .default({})
      .describe('Put on each namespace.'),
    quota: z
      .strictObject({
        pods: whole('Most pods of a user at a time.', 1, 100_000).default(500),
        cpus: whole('Most CPUs that they ask for.', 1, 10_000_000).optional(),
        memory: size('Most memory that they ask for.').optional(),
        devices: z
          .record(
            form('A device.', /^[a-z0-9.-]+\/[A-Za-z0-9_.-]+$/, 'write a resource, such as nvidia.com/gpu'),
            whole('Most of them.', 0, 1_000_000),
          )
          .default({})
          .describe('Most devices that they ask for, by resource.'),
      })
      .transform(({ pods, cpus, memory, devices }) => ({
        pods,
        cpuMillis: cpus === undefined ? undefined : cpus * 1000,
        memoryBytes: memory,
        extended: devices,
      }))
      .prefault({})
      .describe('What one user may have at a time; a job that it does not take goes back to its partition.'),
    mostMemory: size(
      'Most memory of one container. There is none for CPUs: Kubernetes would make it a limit, and our pods have none.',
    ).optional(),
    claims: list(
      'The shared file systems.',
      claim,
      0,
      '[{ claim: home, volume: { nfs: { server: nas1, path: /home } } }]',
    ).default([]),
    egress: list(
      'Where pods may connect to, beside the other pods of their burst; all but the cloud’s metadata service if left out.',
      egress,
      0,
      '[{ cidr: 10.0.0.0/8 }]',
    ).default(usualEgress),
  })
  .transform(({ mostMemory, ...t }) => ({ ...t, mostMemoryBytes: mostMemory }));
