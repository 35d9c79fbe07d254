/** The EC2 model's wire face: the EC2 query protocol over HTTP on loopback, with a small control door beside it. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudModel } from '../../src/sim/models/cloud.ts';
import type { ScalingGroups } from '../../src/sim/models/cloud-groups.ts';
import { Ec2Error, NoAnswer } from '../../src/sim/models/cloud-types.ts';
import { actions } from './ec2-actions.ts';
import { control } from './ec2-control.ts';
import { Form } from './ec2-form.ts';
import { scalingActions, scalingNamespace, scalingVersion } from './scaling-actions.ts';
import { xml } from './xml.ts';

const namespace = 'http://ec2.amazonaws.com/doc/2016-11-15/';
const longestBody = 1_000_000;

export interface Ec2Server {
  readonly endpoint: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface Ec2ServerOptions {
  /** 0 = any free one. */
  readonly port: number;
  /** One line a request. */
  readonly log?: (line: string) => void;
  /** Auto Scaling answers at the same address where there are any. */
  readonly groups?: ScalingGroups;
}

export async function serveEc2(model: CloudModel, options: Ec2ServerOptions): Promise<Ec2Server> {
  const log = options.log ?? (() => undefined);
  const server = createServer((request, response) => {
    answer(model, options.groups, request, response, log).catch((error: unknown) => {
      log(`internal error: ${error instanceof Error ? error.stack : error}`);
      if (!response.headersSent) refuse(response, new Ec2Error('InternalError', 'An internal error', 500));
    });
  });
  await listen(server, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  model: CloudModel,
  groups: ScalingGroups | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  log: (line: string) => void,
): Promise<void> {
  const body = await read(request);
  if (request.url?.startsWith('/_lab/') === true) {
    const { status, said } = control(model, `${request.method} ${request.url}`, body);
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(said)}\n`);
    return;
  }
  const form = Form.parse(body);
  const name = form.text('Action') ?? '';
  try {
    const act = actOf(form, name, model, groups);
    if (request.method !== 'POST' || act === undefined)
      throw new Ec2Error('InvalidAction', `The action ${name} is not valid for this web service.`);
    if (!/^AWS4-HMAC-SHA256 Credential=/.test(request.headers.authorization ?? ''))
      throw new Ec2Error('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);
    const said = model.call(act);
    const text = isScaling(form)
      ? xml(`${name}Response`, { [`${name}Result`]: said }, scalingNamespace)
      : xml(`${name}Response`, { requestId: randomUUID(), ...said }, namespace);
    response.writeHead(200, { 'content-type': 'text/xml;charset=UTF-8' }).end(text);
    log(`${name}: ok`);
  } catch (error) {
    if (error instanceof NoAnswer) {
      log(`${name}: no answer`);
      // The caller sees its connection break after it has asked.
      request.socket.destroy();
    } else if (error instanceof Ec2Error) {
      log(`${name}: ${error.code}: ${error.message}`);
      refuse(response, error, isScaling(form));
    } else throw error;
  }
}

const isScaling = (form: Form): boolean => form.text('Version') === scalingVersion;

function actOf(form: Form, name: string, model: CloudModel, groups: ScalingGroups | undefined) {
  if (isScaling(form)) {
    const act = Object.hasOwn(scalingActions, name) ? scalingActions[name] : undefined;
    return act === undefined || groups === undefined ? undefined : () => act(form, groups);
  }
  const act = Object.hasOwn(actions, name) ? actions[name] : undefined;
  return act === undefined ? undefined : () => act(form, model);
}

/** The two services wrap what they refuse each in its own way. */
function refuse(response: ServerResponse, { code, message, status }: Ec2Error, scaling = false): void {
  const said = { Code: code, Message: message };
  const text = scaling
    ? xml('ErrorResponse', { Error: { Type: 'Sender', ...said }, RequestId: randomUUID() }, scalingNamespace)
    : xml('Response', { Errors: { Error: said }, RequestID: randomUUID() });
  response.writeHead(status, { 'content-type': 'text/xml;charset=UTF-8' }).end(text);
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length > longestBody) throw new Ec2Error('RequestEntityTooLarge', 'Too much', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
