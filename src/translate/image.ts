/** Which image a job runs in: the first of the places below that names one. What is named and not allowed is never passed over. */
import type { Script } from './script/script.ts';

export interface Images {
  /** Undefined: a job that names none stays. */
  readonly default?: string | undefined;
  /** By partition and by account. */
  readonly partitions: Readonly<Record<string, string>>;
  readonly accounts: Readonly<Record<string, string>>;
  /** Of the modules that a script loads, the first entry that matches; `openmpi` is any of its versions. */
  readonly modules: readonly { readonly module: string; readonly image: string }[];
  /** What users may name besides the site's own: of everyone, or of one account. `*` is any text without a slash, `**` any. */
  readonly allow: readonly { readonly image: string; readonly account?: string | undefined }[];
  /** In the user's namespace. */
  readonly pullSecrets: readonly string[];
  /** An image meets each of them that fits its job. */
  readonly signatures?: readonly SignaturePolicy[] | undefined;
}

export interface SignaturePolicy {
  readonly account?: string | undefined;
  readonly partition?: string | undefined;
  /** A pattern as of `allow`; all, if left out. */
  readonly image?: string | undefined;
  /** Files of public keys, of which one will do. */
  readonly keys: readonly string[];
  readonly repository: 'same' | 'any';
}

export interface ImageInput {
  readonly script: Script;
  readonly comment: string;
  readonly account: string;
  /** May be a list. */
  readonly partition: string;
  readonly images: Images;
}

export type ImageChoice =
  | { readonly kind: 'image'; readonly image: string; readonly from: string }
  | { readonly kind: 'none'; readonly why: string };

export function chooseImage(input: ImageInput): ImageChoice {
  const { account, images, script } = input;
  const [unread] = script.unread;
  if (unread !== undefined) {
    const where = unread.line === 0 ? "sbatch's command line" : `line ${unread.line} of its script`;
    return { kind: 'none', why: `${where}: ${unread.text}` };
  }
  const named = nameOf(input);
  if (named === undefined)
    return {
      kind: 'none',
      why: 'nothing names an image: not the script, comment, modules, account or partition, and images.default is not set',
    };
  const { image, from } = named;
  const whole = wholeName(image);
  if (whole === undefined)
    return {
      kind: 'none',
      why: `${JSON.stringify(image)} (${from}) is not the name of an image in a registry`,
    };
  if (own(images).some((site) => wholeName(site) === whole)) return { kind: 'image', image, from };
  const allowed = images.allow.some(
    (a) => (a.account === undefined || a.account === account) && matches(a.image, whole),
  );
  if (allowed) return { kind: 'image', image, from };
  return {
    kind: 'none',
    why: `${image} (${from}) is not allowed for ${account === '' ? 'a job without an account' : `account ${account}`}: no pattern of images.allow matches`,
  };
}

/** What an image must be signed by for a job: more than one where several fit. `partition` may be a list, of which each counts. */
export function signaturesFor(
  images: Pick<Images, 'signatures'>,
  {
    account,
    partition,
    image,
  }: { readonly account: string; readonly partition: string; readonly image: string },
): readonly SignaturePolicy[] {
  const whole = wholeName(image);
  return (images.signatures ?? []).filter(
    (s) =>
      (s.account === undefined || s.account === account) &&
      (s.partition === undefined || partition.split(',').includes(s.partition)) &&
      // What is no image's name is asked for a signature, and will have none.
      (s.image === undefined || whole === undefined || matches(s.image, whole)),
  );
}

interface Named {
  readonly image: string;
  readonly from: string;
}

function nameOf({ script, comment, account, partition, images }: ImageInput): Named | undefined {
  const option = script.options.findLast(({ name }) => name === 'container-image');
  if (option !== undefined)
    return {
      image: fromPyxis(option.value),
      from: `--container-image ${option.line === 0 ? "on sbatch's command line" : 'in the script'}`,
    };
  const line = script.ours.findLast(({ key }) => key === 'image');
  if (line !== undefined) return { image: line.value, from: `#SPILLWAY in line ${line.line}` };
  const [, told] = /(?:^|[\s;,])spillway\s+image=([^\s;,]+)/.exec(comment) ?? [];
  if (told !== undefined) return { image: told, from: "the job's comment" };
  for (const { module, image } of images.modules) {
    const loaded = script.modules.find((m) => m === module || m.startsWith(`${module}/`));
    if (loaded !== undefined) return { image, from: `module ${loaded}` };
  }
  const ofAccount = entry(images.accounts, account);
  if (ofAccount !== undefined) return { image: ofAccount, from: `account ${account}` };
  for (const name of partition.split(',')) {
    const image = entry(images.partitions, name);
    if (image !== undefined) return { image, from: `partition ${name}` };
  }
  return images.default === undefined ? undefined : { image: images.default, from: 'images.default' };
}

const entry = (of: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(of, name) ? of[name] : undefined;

const own = (images: Images): string[] => [
  ...(images.default === undefined ? [] : [images.default]),
  ...Object.values(images.partitions),
  ...Object.values(images.accounts),
  ...images.modules.map(({ image }) => image),
];

/** `registry#path:tag`, with an optional `docker://` in front; a path of a squashfs file stays what it is, and so no image. [pyxis, enroot import] */
const fromPyxis = (text: string): string => text.replace(/^docker:\/\//, '').replace(/^([^/#]+)#/, '$1/');

/** [distribution/reference: the grammar] */
const reference =
  /^(?:((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::\d+)?)\/)?([a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::(\w[\w.-]{0,127}))?(?:@(sha256:[a-f0-9]{64}))?$/;

/** As a container runtime completes it: `ubuntu` is `docker.io/library/ubuntu:latest`. Undefined: not a name. */
export function wholeName(image: string): string | undefined {
  // Before the pattern is tried: no registry takes a longer one.
  const found = image.length > 512 ? null : reference.exec(image);
  if (found === null) return undefined;
  const [, first, path = '', tag, digest] = found;
  // What is no registry's name is part of the path, which has small letters only.
  if (first !== undefined && !/[.:]/.test(first) && first !== 'localhost' && /[A-Z]/.test(first))
    return undefined;
  const version = `${tag === undefined ? (digest === undefined ? ':latest' : '') : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return `${withRegistry(first === undefined ? path : `${first}/${path}`)}${version}`;
}

/** Undefined: not a name. */
export function imageName(
  image: string,
): { readonly host: string; readonly path: string; readonly reference: string } | undefined {
  const whole = wholeName(image);
  if (whole === undefined) return undefined;
  const [name, version] = parts(whole);
  const slash = name.indexOf('/');
  const at = version.indexOf('@');
  return {
    host: name.slice(0, slash),
    path: name.slice(slash + 1),
    reference: at === -1 ? version.slice(1) : version.slice(at + 1),
  };
}

/** A first part is a registry's where it has a dot, a port, or is localhost; a pattern's also where it is `*` or `**`, but not for a star in a name: `phys*` is no host. */
function withRegistry(path: string): string {
  const [first = '', ...rest] = path.split('/');
  if (rest.length > 0 && (/[.:]|^\*\*?$/.test(first) || first === 'localhost')) return path;
  return rest.length === 0 ? `docker.io/library/${path}` : `docker.io/${path}`;
}

/**
 * A pattern without a tag or digest is of all of them. Name and version are each held against their own part, and `*` is never a digest:
 * a runtime goes by the digest alone, so whoever may name some tags may not name any content beside one.
 */
function matches(pattern: string, whole: string): boolean {
  const [name, version] = parts(pattern);
  const [ofName, ofVersion] = parts(whole);
  if (!like(pattern === '**' ? name : withRegistry(name), ofName)) return false;
  return version === '' || like(version, ofVersion);
}

/** `registry/path` and `:tag@digest`, of an image or a pattern. */
function parts(image: string): readonly [string, string] {
  const at = image.slice(image.lastIndexOf('/') + 1).search(/[:@]/);
  const cut = at === -1 ? image.length : image.lastIndexOf('/') + 1 + at;
  return [image.slice(0, cut), image.slice(cut)];
}

function like(pattern: string, text: string): boolean {
  const parts = pattern
    .split(/(\*\*|\*)/)
    .map((p) => (p === '**' ? '.*' : p === '*' ? '[^/@]*' : p.replace(/[\\^$.+?()[\]{}|]/g, '\\$&')));
  return new RegExp(`^${parts.join('')}$`).test(text);
}
