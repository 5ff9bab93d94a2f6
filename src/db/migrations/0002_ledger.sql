set local role governance_owner;

-- Accounts that were closed and scrubbed (R11): what stands for the wallet. Nothing of such a wallet is
-- written any more; who tries is told (GV002), and writes what stands for it instead.
create table ledger.closed_wallet (
  identity text collate "C" primary key,
  closed_at timestamptz not null
);
select maintenance.make_append_only('ledger.closed_wallet');
grant select on ledger.closed_wallet to governance_writer;

-- Refuses a batch that names closed wallets, before it writes anything. The shared lock, kept to the batch's
-- commit, is what the scrub waits for once a wallet is closed: whoever looked before is then done, and
-- whoever looks later sees it closed.
create function ledger.refuse_closed(p_identities text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_closed text[];
begin
  if cardinality(p_identities) = 0 then return; end if;
  perform pg_advisory_xact_lock_shared(hashtextextended('governance.closed_wallet', 0));
  v_closed := array(select identity from ledger.closed_wallet where identity = any (p_identities));
  if cardinality(v_closed) > 0 then
    raise exception 'the rows name closed wallets' using errcode = 'GV002', detail = to_json(v_closed)::text;
  end if;
end $$;
grant execute on function ledger.refuse_closed to governance_writer;

-- Closings of accounts that were recorded while scrub_on_account_close was on: what the scrub has to do.
create table ledger.closing (
  record_id text collate "C" primary key,
  identity text collate "C" not null,
  wallet text collate "C" not null,
  closed_at timestamptz not null,
  asked_by text collate "C" not null
);
create index closing_identity on ledger.closing (identity);
select maintenance.make_append_only('ledger.closing');
grant select, insert on ledger.closing to governance_writer;

-- One row for each recorded action. accepted_at is the service's clock; xid is the top-level
-- transaction, ord the row's place in its batch: (epoch, xid, ord) is commit order. mentions: the
-- wallets, as 40 lower case hexadecimal digits, that its texts name beside its own, for the scrub to
-- find; null where there are none. Of key tables, which have no wallet of their own: all that the key names.
create table ledger.user_action (
  accepted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  retained_until date not null,
  session_seq bigint,
  occurred_at_ns bigint,
  record_id text collate "C" not null,
  event_id text collate "C" not null,
  wallet text collate "C" not null,
  session_id text collate "C" not null,
  action_type text collate "C" not null,
  recorded_by text collate "C" not null,
  trace_id text collate "C",
  params_json text,
  inexact_json text,
  mentions text[] collate "C"
) partition by range (accepted_at);
create index user_action_order on ledger.user_action (epoch, xid, ord);
create index user_action_wallet on ledger.user_action (lower(wallet), epoch, xid, ord);
create index user_action_session on ledger.user_action (session_id, epoch, xid, ord);
create index user_action_trace on ledger.user_action (trace_id, epoch, xid, ord) where trace_id is not null;
create index user_action_mentions on ledger.user_action using gin (mentions) where mentions is not null;
select maintenance.make_append_only('ledger.user_action');
select log.make_source('ledger.user_action', 'a', 'accepted_at');
grant select, insert on ledger.user_action to governance_writer;

-- Which event ids were ever recorded, over all months, and longer than the records themselves (R9).
-- content_hash is keyed, so that it does not give a scrubbed wallet away (R11). The rest finds the record.
create table ledger.event_key (
  event_id text collate "C" primary key,
  record_id text collate "C" not null,
  accepted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  content_hash bytea not null,
  mentions text[] collate "C"
);
create index event_key_mentions on ledger.event_key using gin (mentions) where mentions is not null;
select maintenance.make_append_only('ledger.event_key');
grant select, insert on ledger.event_key to governance_writer;

-- What was refused because its event id was taken by other content: kept once, never merged (R9).
create table ledger.conflict (
  event_id text collate "C" not null,
  content_hash bytea not null,
  first_record_id text collate "C" not null,
  accepted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  retained_until date not null,
  session_seq bigint,
  occurred_at_ns bigint,
  wallet text collate "C" not null,
  session_id text collate "C" not null,
  action_type text collate "C" not null,
  recorded_by text collate "C" not null,
  trace_id text collate "C",
  params_json text,
  inexact_json text,
  mentions text[] collate "C",
  primary key (event_id, content_hash)
);
create index conflict_order on ledger.conflict (epoch, xid, ord);
create index conflict_wallet on ledger.conflict (lower(wallet));
create index conflict_mentions on ledger.conflict using gin (mentions) where mentions is not null;
select maintenance.make_append_only('ledger.conflict');
grant select, insert on ledger.conflict to governance_writer;

-- Where each producer's streams left off; stream: 'a' of actions, 'f' of execution reports. A bookmark,
-- not a record: it moves. follows: the offset that its last batch followed; null for one that came with
-- an offset of its own. Batches of one stream are under way side by side, and when one is not stored the
-- next may still be: its offset must then not be taken for the last durable one, or the producer would
-- never send the lost one again. So a bookmark moves only from where its batch began, or beyond.
create table ledger.producer (
  subject text collate "C" not null,
  stream "char" not null,
  stream_id text collate "C" not null,
  last_offset bigint not null,
  follows bigint,
  primary key (subject, stream, stream_id)
);
grant select, insert, update on ledger.producer to governance_writer;

-- Moves the producers' bookmarks of one kind of stream, in the transaction that records their batches.
create function ledger.move_bookmarks(
  p_stream "char", p_subject text[], p_stream_id text[], p_offset bigint[], p_follows bigint[]
) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if cardinality(p_subject) = 0 then return; end if;
  insert into ledger.producer as p (subject, stream, stream_id, last_offset, follows)
  select subject, p_stream, stream_id, last_offset, follows from (
    select subject collate "C", stream_id collate "C", (array_agg(last_offset order by nth desc))[1],
      case when bool_and(follows is not null) then (array_agg(follows order by nth))[1] end
    from unnest(p_subject, p_stream_id, p_offset, p_follows)
      with ordinality as i (subject, stream_id, last_offset, follows, nth)
    group by 1, 2
  ) as b (subject, stream_id, last_offset, follows)
  where coalesce(follows, 0) = 0
    or exists (select from ledger.producer k where (k.subject, k.stream, k.stream_id) = (b.subject, p_stream, b.stream_id))
  order by subject, stream_id
  on conflict (subject, stream, stream_id) do update
    set follows = excluded.follows, last_offset =
      case when excluded.follows is null then excluded.last_offset
           else greatest(p.last_offset, excluded.last_offset) end
    where excluded.follows is null or p.last_offset >= excluded.follows;
end $$;
grant execute on function ledger.move_bookmarks to governance_writer;

-- The key under which an event is on record: its former one until the scrub has rewritten it. STABLE, so
-- that it looks with its caller's snapshot.
create function ledger.standing_key(p_event_id text, p_former_event_id text) returns text
language sql stable as $$
  select coalesce((select event_id from ledger.event_key where event_id = p_former_event_id), p_event_id)
$$;
grant execute on function ledger.standing_key to governance_writer;

-- Records a batch in one transaction and answers for the actions that are not simply recorded: their
-- index in the batch, whether the content was the same, and the first record.
-- Two statements, because a single one cannot tell a duplicate from a conflict while the winner of a
-- race is still uncommitted: the second one has a fresh snapshot. Keys are claimed in sorted order so
-- that two batches cannot wait for each other in a circle.
-- p_former_event_id: what an event id was before a closed wallet in it was replaced; null for nearly all.
-- Until the scrub has rewritten that key, it still says that the event is on record.
-- p_closing: the records of the batch that close an account which is to be scrubbed.
create function ledger.append(
  p_event_id text[], p_content_hash bytea[], p_record_id text[], p_accepted_at timestamptz[],
  p_retained_until date[], p_wallet text[], p_session_id text[], p_action_type text[],
  p_recorded_by text[], p_trace_id text[], p_params_json text[], p_inexact_json text[],
  p_occurred_at_ns bigint[], p_session_seq bigint[], p_mentions text[], p_key_mentions text[],
  p_former_event_id text[], p_closing text[], p_closing_identity text[], p_identities text[],
  p_producer_subject text[], p_producer_stream text[], p_producer_offset bigint[], p_producer_follows bigint[]
) returns table (index int, same_content boolean, first_record_id text, first_accepted_at timestamptz)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_epoch int := log.current_epoch();
  v_recorded int;
begin
  perform ledger.refuse_closed(p_identities);
  with input as (
    select * from unnest(
      p_event_id, p_content_hash, p_record_id, p_accepted_at, p_retained_until, p_wallet, p_session_id,
      p_action_type, p_recorded_by, p_trace_id, p_params_json, p_inexact_json, p_occurred_at_ns, p_session_seq,
      p_mentions, p_key_mentions, p_former_event_id
    ) with ordinality as i (
      event_id, content_hash, record_id, accepted_at, retained_until, wallet, session_id, action_type, recorded_by,
      trace_id, params_json, inexact_json, occurred_at_ns, session_seq, mentions, key_mentions, former_event_id, nth)
  ), claimed as (
    insert into ledger.event_key (event_id, record_id, accepted_at, epoch, ord, content_hash, mentions)
    select distinct on (event_id collate "C") event_id, record_id, accepted_at, v_epoch, nth - 1, content_hash,
      key_mentions::text[]
    from input
    where former_event_id is null or not exists (select from ledger.event_key k where k.event_id = former_event_id)
    order by event_id collate "C", nth
    on conflict do nothing
    returning record_id
  )
  insert into ledger.user_action (
    accepted_at, epoch, ord, retained_until, session_seq, occurred_at_ns, record_id, event_id, wallet,
    session_id, action_type, recorded_by, trace_id, params_json, inexact_json, mentions)
  select accepted_at, v_epoch, nth - 1, retained_until, session_seq, occurred_at_ns, record_id, event_id, wallet,
    session_id, action_type, recorded_by, trace_id, params_json, inexact_json, mentions::text[]
  from input where record_id in (select record_id from claimed);
  get diagnostics v_recorded = row_count;

  if cardinality(p_closing) > 0 then
    insert into ledger.closing (record_id, identity, wallet, closed_at, asked_by)
    select i.record_id, c.identity, i.wallet, i.accepted_at, i.recorded_by
    from unnest(p_closing, p_closing_identity) as c (record_id, identity)
    join unnest(p_record_id, p_event_id, p_wallet, p_accepted_at, p_recorded_by)
      as i (record_id, event_id, wallet, accepted_at, recorded_by) on i.record_id = c.record_id
    join ledger.event_key k on k.event_id = i.event_id and k.record_id = i.record_id;
  end if;

  perform ledger.move_bookmarks('a', p_producer_subject, p_producer_stream, p_producer_offset, p_producer_follows);

  if v_recorded < cardinality(p_event_id) then
    insert into ledger.conflict (
      event_id, content_hash, first_record_id, accepted_at, epoch, ord, retained_until, session_seq,
      occurred_at_ns, wallet, session_id, action_type, recorded_by, trace_id, params_json, inexact_json, mentions)
    select i.event_id, i.content_hash, k.record_id, i.accepted_at, v_epoch, i.nth - 1, i.retained_until,
      i.session_seq, i.occurred_at_ns, i.wallet, i.session_id, i.action_type, i.recorded_by, i.trace_id,
      i.params_json, i.inexact_json, i.mentions::text[]
    from (
      select *, case when former_event_id is null then event_id
          else ledger.standing_key(event_id, former_event_id) end as key_id from unnest(
        p_event_id, p_content_hash, p_accepted_at, p_retained_until, p_wallet, p_session_id, p_action_type,
        p_recorded_by, p_trace_id, p_params_json, p_inexact_json, p_occurred_at_ns, p_session_seq, p_mentions,
        p_former_event_id
      ) with ordinality as i (
        event_id, content_hash, accepted_at, retained_until, wallet, session_id, action_type, recorded_by, trace_id,
        params_json, inexact_json, occurred_at_ns, session_seq, mentions, former_event_id, nth)
    ) as i
    join ledger.event_key k on k.event_id = i.key_id
    where k.content_hash <> i.content_hash
    order by i.event_id collate "C", i.content_hash
    on conflict do nothing;

    return query
      select (i.nth - 1)::int, k.content_hash = i.content_hash, k.record_id, k.accepted_at
      from (
        select *, case when former_event_id is null then event_id
          else ledger.standing_key(event_id, former_event_id) end as key_id
        from unnest(p_event_id, p_content_hash, p_record_id, p_former_event_id)
          with ordinality as i (event_id, content_hash, record_id, former_event_id, nth)
      ) as i
      join ledger.event_key k on k.event_id = i.key_id
      where k.record_id <> i.record_id;
  end if;
end $$;
grant execute on function ledger.append to governance_writer;

reset role;
