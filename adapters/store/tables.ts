import type { ColumnType, Generated } from 'kysely';

/** The tables as kysely sees them; migrations/ makes them. `jsonb` goes in as text and comes out parsed, to be read by schema.ts. */
type Json = ColumnType<unknown, string, string>;

export interface Tables {
  meta: {
    one: Generated<boolean>;
    generation: Generated<string>;
    incarnation: string | null;
    epoch_floor: Generated<number>;
    recovering_since: number | null;
    recovering_why: string | null;
    anchor_floor: Generated<number>;
    heads_from: Generated<number>;
  };
  commits: { id: string; cluster: string };
  bursts: {
    id: string;
    cluster: string;
    ref: string;
    job_id: number;
    attempt: string;
    state: string;
    live: boolean;
    rev: number;
    head: string;
    data: Json;
    created_at: number;
    updated_at: number;
  };
  instances: {
    id: string;
    cluster: string;
    state: string;
    live: boolean;
    rev: number;
    head: string;
    data: Json;
    created_at: number;
    updated_at: number;
  };
  receipts: {
    n: Generated<number>;
    id: string;
    cluster: string;
    ref: string;
    attempt: string;
    seq: number;
    kind: string;
    at: number;
    data: Json;
    prev: string;
    hash: string;
  };
  seen_again: { receipt: string; times: number; last_at: number };
  audit: {
    subject: string;
    seq: number;
    at: number;
    from_state: string | null;
    to_state: string;
    why: string;
    data: string;
    prev: string;
    hash: string;
    /** The order in which events are told [lists.ts]. */
    n: Generated<number>;
    xid: Generated<string>;
  };
  intents: {
    n: Generated<number>;
    id: string;
    subject: string;
    effect: string;
    spec: Json;
    epoch: number;
    at: number;
    deadline: number | null;
    answer: string | null;
    answered_at: number | null;
  };
  ledger: {
    burst: string;
    cluster: string;
    account: string;
    user_name: string | null;
    micro_usd: number;
    state: string;
    at: number;
  };
  stays: {
    burst: string;
    pod: string;
    cluster: string;
    instance: string;
    from_at: number;
    until_at: number | null;
    told_by: string;
  };
  unanchored: {
    n: Generated<number>;
    chain: string;
    seq: number;
    hash: string;
    pruned: Generated<boolean>;
  };
  anchors: {
    seq: number;
    at: number;
    generation: string;
    heads_from: number;
    heads: number;
    root: string;
    prev: string;
    hash: string;
  };
  stops: { id: string; cluster: string; rev: number; head: string; data: Json };
  drains: { id: string; cluster: string; rev: number; head: string; data: Json };
  ramps: { id: string; cluster: string; rev: number; head: string; data: Json };
  policies: { id: string; version: number; hash: string; rev: number; head: string; data: Json };
  active_policies: { id: string; cluster: string; rev: number; head: string; data: Json };
  tokens: { id: string; rev: number; head: string; data: Json; used_at: number | null };
  order_keys: {
    caller: string;
    key: string;
    what: string;
    answer: ColumnType<unknown, string | null, string>;
    until: number;
  };
  orders: { id: string; rev: number; head: string; data: Json; updated_at: number };
  hook_places: { hook: string; generation: string; xid: string; n: number };
  deliveries: {
    id: string;
    hook: string;
    event: string;
    body: string;
    tries: number;
    first_at: number;
    due_at: number;
    dead_at: number | null;
    why: string | null;
    asked_by: string | null;
    n: Generated<number>;
  };
  anchored: { anchor: number; chain: string; seq: number; hash: string; pruned: boolean };
  leases: {
    cluster: string;
    holder: string | null;
    epoch: number;
    until: number;
    recovered: Generated<number>;
  };
}
