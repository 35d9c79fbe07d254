/** What each request of S3's means to the model: the verb, and the query's names that tell actions apart. */
import { ObjectsError, type ObjectsModel, type Range } from '../../src/sim/models/objects.ts';
import { type Xml, xml } from './xml.ts';

export interface S3Request {
  readonly method: string;
  /** Empty: of the bucket. */
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  /** Hex. */
  readonly sha256: string | undefined;
  readonly range: Range | undefined;
  readonly body: Uint8Array;
}

export interface S3Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

type Action = (model: ObjectsModel, bucket: string, asked: S3Request) => S3Answer;

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';
const empty = new Uint8Array();
const said = (root: string, body: Xml): S3Answer => ({
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body: new TextEncoder().encode(xml(root, body, namespace)),
});
const done = (status: number, headers: Readonly<Record<string, string>> = {}): S3Answer => ({
  status,
  headers,
  body: empty,
});
const time = (at: number): string => new Date(at).toISOString();

export function answerOf(model: ObjectsModel, bucket: string, asked: S3Request): S3Answer {
  return actionOf(asked)(model, bucket, asked);
}

function actionOf({ method, key, query }: S3Request): Action {
  const of =
    key === '' ? 'bucket' : query.has('uploadId') ? 'upload' : query.has('uploads') ? 'uploads' : 'key';
  const listing = key === '' && query.has('uploads') ? ' uploads' : '';
  const action = actions[`${method} ${of}${listing}`];
  if (action === undefined) throw new ObjectsError('NotImplemented', 501, 'refused');
  return action;
}

const actions: Readonly<Record<string, Action>> = {
  'HEAD key': (model, _, { key }) => {
    const found = model.head(key);
    if (found === undefined) throw new ObjectsError('NotFound', 404, 'not_found');
    return done(200, { ...describing(model, key, found.at), 'content-length': `${found.size}` });
  },
  'GET key': (model, _, { key, range }) => {
    const body = model.get(key, range);
    const { size = 0, at = 0 } = model.head(key) ?? {};
    const headers = describing(model, key, at);
    if (range === undefined) return { status: 200, headers, body };
    const last = range.from + body.length - 1;
    return {
      status: 206,
      headers: { ...headers, 'content-range': `bytes ${range.from}-${last}/${size}` },
      body,
    };
  },
  'PUT key': (model, _, { key, body, sha256 }) => {
    model.put(key, body, sha256);
    return done(200, { etag: model.tag(key) ?? '' });
  },
  'DELETE key': (model, _, { key }) => {
    model.remove(key);
    return done(204);
  },
  'POST uploads': (model, bucket, { key }) =>
    said('InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: model.begin(key) }),
  'PUT upload': (model, _, { key, query, body, sha256 }) =>
    done(200, { etag: model.putPart(key, upload(query), Number(query.get('partNumber')), body, sha256) }),
  'GET upload': (model, bucket, { key, query }) => {
    const after = Number(query.get('part-number-marker') ?? 0);
    const rest = model.parts(key, upload(query)).filter(({ number }) => number > after);
    const { page, more } = cut(rest, query.get('max-parts'));
    return said('ListPartsResult', {
      Bucket: bucket,
      Key: key,
      UploadId: upload(query),
      IsTruncated: more,
      NextPartNumberMarker: more ? page.at(-1)?.number : undefined,
      Part: page.map(({ number, size, tag, sha256 }) => ({
        PartNumber: number,
        ETag: tag,
        Size: size,
        ChecksumSHA256: Buffer.from(sha256 ?? '', 'hex').toString('base64'),
        LastModified: time(0),
      })),
    });
  },
  'POST upload': (model, bucket, { key, query, body }) => {
    model.complete(key, upload(query), partsIn(new TextDecoder().decode(body)));
    return said('CompleteMultipartUploadResult', { Bucket: bucket, Key: key, ETag: model.tag(key) });
  },
  'DELETE upload': (model, _, { key, query }) => {
    model.abort(key, upload(query));
    return done(204);
  },
  'GET bucket': (model, bucket, { query }) => {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
    const { page, more } = cut(
      model.list(prefix).filter(({ key }) => key > after),
      query.get('max-keys'),
    );
    return said('ListBucketResult', {
      Name: bucket,
      Prefix: prefix,
      KeyCount: page.length,
      IsTruncated: more,
      NextContinuationToken: more ? page.at(-1)?.key : undefined,
      Contents: page.map(({ key, size, at }) => ({ Key: key, Size: size, LastModified: time(at) })),
    });
  },
  'GET bucket uploads': (model, bucket, { query }) => {
    const [key, id] = [query.get('key-marker') ?? '', query.get('upload-id-marker') ?? ''];
    const { page, more } = cut(
      model
        .unfinished(query.get('prefix') ?? '')
        .filter((one) => one.key > key || (id !== '' && one.key === key && one.upload > id)),
      query.get('max-uploads'),
    );
    const last = more ? page.at(-1) : undefined;
    return said('ListMultipartUploadsResult', {
      Bucket: bucket,
      IsTruncated: more,
      NextKeyMarker: last?.key,
      NextUploadIdMarker: last?.upload,
      Upload: page.map(({ key, upload, at }) => ({ Key: key, UploadId: upload, Initiated: time(at) })),
    });
  },
};

function describing(model: ObjectsModel, key: string, at: number): Readonly<Record<string, string>> {
  return {
    etag: model.tag(key) ?? '',
    'last-modified': new Date(at).toUTCString(),
    'accept-ranges': 'bytes',
    'content-type': 'binary/octet-stream',
  };
}

const upload = (query: ReadonlyMap<string, string>): string => query.get('uploadId') ?? '';

function cut<T>(all: readonly T[], most: string | undefined): { page: readonly T[]; more: boolean } {
  const page = all.slice(0, Number(most ?? 1000));
  return { page, more: page.length < all.length };
}

function partsIn(body: string): { number: number; tag: string }[] {
  return [...body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
    number: Number(/<PartNumber>(\d+)<\/PartNumber>/.exec(part)?.[1]),
    tag: (/<ETag>(.*?)<\/ETag>/.exec(part)?.[1] ?? '').replace(/&quot;|&#34;/g, '"'),
  }));
}
