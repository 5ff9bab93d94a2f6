set local role governance_owner;

-- One row for each execution report: a fill, or a later status of one; the reports of a fill are its
-- history. fill_id names the fill: the id that was sent, or the one made of trade_id and order_id. A report
-- that has both names keeps the made one too: it says that both are one fill.
create table ledger.fill_report (
  accepted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  retained_until date not null,
  matched_at_ns bigint,
  updated_at_ns bigint,
  record_id text collate "C" not null,
  fill_id text collate "C" not null,
  sent_fill_id text collate "C",
  made_fill_id text collate "C",
  trade_id text collate "C",
  order_id text collate "C",
  trace_id text collate "C",
  wallet text collate "C",
  status text collate "C" not null,
  market text collate "C",
  asset_id text collate "C",
  side text collate "C",
  size text collate "C",
  price text collate "C",
  fee_rate_bps text collate "C",
  outcome text collate "C",
  trader_side text collate "C",
  transaction_hash text collate "C",
  recorded_by text collate "C" not null,
  raw_json text,
  mentions text[] collate "C"
) partition by range (accepted_at);
create index fill_report_order on ledger.fill_report (epoch, xid, ord);
create index fill_report_fill on ledger.fill_report (fill_id, epoch, xid, ord);
create index fill_report_trade on ledger.fill_report (trade_id, epoch, xid, ord) where trade_id is not null;
create index fill_report_order_id on ledger.fill_report (order_id, epoch, xid, ord) where order_id is not null;
create index fill_report_trace on ledger.fill_report (trace_id, epoch, xid, ord) where trace_id is not null;
create index fill_report_wallet on ledger.fill_report (lower(wallet), epoch, xid, ord) where wallet is not null;
create index fill_report_mentions on ledger.fill_report using gin (mentions) where mentions is not null;
select maintenance.make_append_only('ledger.fill_report');
select log.make_source('ledger.fill_report', 'f', 'accepted_at');
grant select, insert on ledger.fill_report to governance_writer;

-- Which reports were ever recorded, longer than the reports themselves: the same report of a fill again
-- is a duplicate. content_hash is keyed.
create table ledger.fill_key (
  fill_id text collate "C" not null,
  content_hash bytea not null,
  record_id text collate "C" not null,
  accepted_at timestamptz not null,
  mentions text[] collate "C",
  primary key (fill_id, content_hash)
);
create index fill_key_mentions on ledger.fill_key using gin (mentions) where mentions is not null;
select maintenance.make_append_only('ledger.fill_key');
grant select, insert on ledger.fill_key to governance_writer;

-- One row for each link of a fill to an action. It lies in its action's month, so that reading an action
-- with its fills looks into one partition. linked_at is when it was made.
create table ledger.fill_link (
  action_accepted_at timestamptz not null,
  linked_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  retained_until date not null,
  record_id text collate "C" not null,
  event_id text collate "C" not null,
  session_id text collate "C" not null,
  wallet text collate "C" not null,
  action_type text collate "C" not null,
  trace_id text collate "C" not null,
  fill_id text collate "C" not null,
  unique (action_accepted_at, event_id, fill_id)
) partition by range (action_accepted_at);
create index fill_link_order on ledger.fill_link (epoch, xid, ord);
create index fill_link_fill on ledger.fill_link (fill_id);
create index fill_link_session on ledger.fill_link (session_id, epoch, xid, ord);
create index fill_link_wallet on ledger.fill_link (lower(wallet));
select maintenance.make_append_only('ledger.fill_link');
select log.make_source('ledger.fill_link', 'l', 'action_accepted_at');
grant select on ledger.fill_link to governance_writer;

-- What is known of fills, traces and orders, kept by ledger.link alone; every row follows from the
-- reports, and none is ever taken back: so whatever order the reports come in, the same is known at last.
-- Which fills have a trace: their own reports' or their orders'.
create table ledger.fill_trace (
  trace_id text collate "C" not null,
  fill_id text collate "C" not null,
  primary key (trace_id, fill_id)
);
create index fill_trace_fill on ledger.fill_trace (fill_id);
create table ledger.order_trace (
  order_id text collate "C" not null,
  trace_id text collate "C" not null,
  primary key (order_id, trace_id)
);
create table ledger.order_fill (
  order_id text collate "C" not null,
  fill_id text collate "C" not null,
  primary key (order_id, fill_id)
);
-- A fill that came by trade_id and order_id is the one of this fill_id. (epoch, xid) is the report that
-- says so: what a reader sees of names depends on how far it reads the log, and on nothing else.
create table ledger.fill_alias (
  made_fill_id text collate "C" not null,
  fill_id text collate "C" not null,
  epoch int not null,
  xid xid8 not null,
  primary key (made_fill_id, fill_id)
);
create index fill_alias_fill on ledger.fill_alias (fill_id);
select maintenance.make_append_only(t) from unnest(array[
  'ledger.fill_trace', 'ledger.order_trace', 'ledger.order_fill', 'ledger.fill_alias']::regclass[]) t;
grant select on ledger.fill_trace, ledger.order_trace, ledger.order_fill, ledger.fill_alias to governance_writer;

-- Records a batch of execution reports in one transaction and answers the indexes of those that were on
-- record before. Who has the same keys in an open transaction is waited for; keys are claimed in sorted
-- order so that two batches cannot wait for each other in a circle.
create function ledger.append_fills(
  p_fill_id text[], p_content_hash bytea[], p_record_id text[], p_accepted_at timestamptz[],
  p_retained_until date[], p_sent_fill_id text[], p_made_fill_id text[], p_trade_id text[], p_order_id text[],
  p_trace_id text[], p_wallet text[], p_status text[], p_market text[], p_asset_id text[], p_side text[],
  p_size text[], p_price text[], p_fee_rate_bps text[], p_outcome text[], p_trader_side text[],
  p_transaction_hash text[], p_recorded_by text[], p_raw_json text[], p_matched_at_ns bigint[],
  p_updated_at_ns bigint[], p_mentions text[], p_key_mentions text[], p_identities text[],
  p_producer_subject text[], p_producer_stream text[], p_producer_offset bigint[], p_producer_follows bigint[]
) returns table (index int)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_epoch int := log.current_epoch();
begin
  perform ledger.refuse_closed(p_identities);
  return query
    with input as (
      select * from unnest(
        p_fill_id, p_content_hash, p_record_id, p_accepted_at, p_retained_until, p_sent_fill_id, p_made_fill_id,
        p_trade_id, p_order_id, p_trace_id, p_wallet, p_status, p_market, p_asset_id, p_side, p_size, p_price,
        p_fee_rate_bps, p_outcome, p_trader_side, p_transaction_hash, p_recorded_by, p_raw_json,
        p_matched_at_ns, p_updated_at_ns, p_mentions, p_key_mentions
      ) with ordinality as i (
        fill_id, content_hash, record_id, accepted_at, retained_until, sent_fill_id, made_fill_id,
        trade_id, order_id, trace_id, wallet, status, market, asset_id, side, size, price,
        fee_rate_bps, outcome, trader_side, transaction_hash, recorded_by, raw_json,
        matched_at_ns, updated_at_ns, mentions, key_mentions, nth)
    ), claimed as (
      insert into ledger.fill_key (fill_id, content_hash, record_id, accepted_at, mentions)
      select distinct on (fill_id collate "C", content_hash) fill_id, content_hash, record_id, accepted_at,
        key_mentions::text[]
      from input order by fill_id collate "C", content_hash, nth
      on conflict do nothing
      returning record_id
    ), recorded as (
      insert into ledger.fill_report (
        accepted_at, epoch, ord, retained_until, matched_at_ns, updated_at_ns, record_id, fill_id, sent_fill_id,
        made_fill_id, trade_id, order_id, trace_id, wallet, status, market, asset_id, side, size, price,
        fee_rate_bps, outcome, trader_side, transaction_hash, recorded_by, raw_json, mentions)
      select accepted_at, v_epoch, nth - 1, retained_until, matched_at_ns, updated_at_ns, record_id, fill_id,
        sent_fill_id, made_fill_id, trade_id, order_id, trace_id, wallet, status, market, asset_id, side, size,
        price, fee_rate_bps, outcome, trader_side, transaction_hash, recorded_by, raw_json, mentions::text[]
      from input where record_id in (select record_id from claimed)
    )
    select (nth - 1)::int from input where record_id not in (select record_id from claimed);
  perform ledger.move_bookmarks('f', p_producer_subject, p_producer_stream, p_producer_offset, p_producer_follows);
end $$;
grant execute on function ledger.append_fills to governance_writer;

-- Links what the window of the log [p_from, p_below) brought, in one transaction with what is called
-- beside it; the times say where the window's actions and fills lie. Answers the links made. Called by
-- log.follow alone, one call at a time.
-- Only what is new is joined: a trace with many fills costs each of them its actions, not each other. An
-- order has one trace and a fill two names at most; a producer that mixes them up could make everything
-- follow from everything, so of more than v_most only the first count. Nor does a record that arrives
-- link with more than v_links others: a producer with one trace for all it does would make links of each
-- action with each fill, and hold up the log.
-- The tables grow faster than their statistics: a plan made while they were small would read them whole.
create function ledger.link(
  p_epoch int, p_from xid8, p_below xid8, p_actions_from timestamptz, p_actions_to timestamptz,
  p_fills_from timestamptz, p_fills_to timestamptz, p_at timestamptz
) returns table (event_id text, session_id text, fill_id text)
language plpgsql set search_path = pg_catalog, pg_temp
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
#variable_conflict use_column
declare
  v_most constant int := 16;
  v_links constant int := 1000;
  v_made text[]; v_made_of text[]; -- New names of fills.
  v_order text[]; v_order_fill text[]; -- New fills of orders.
  v_traced text[]; v_order_trace text[]; -- New traces of orders.
  v_trace text[]; v_fill text[]; -- New fills of traces.
  v_more_trace text[]; v_more_fill text[];
begin
  if p_fills_from is not null then
    with told as (
      select distinct on (made_fill_id, fill_id) made_fill_id, fill_id, xid, ord from ledger.fill_report
      where epoch = p_epoch and xid >= p_from and xid < p_below
        and accepted_at between p_fills_from and p_fills_to and made_fill_id is not null and fill_id <> made_fill_id
      order by made_fill_id, fill_id, xid, ord
    ), new as (
      select made_fill_id, fill_id, xid,
        row_number() over (partition by made_fill_id order by xid, ord) as nth_of_made,
        row_number() over (partition by fill_id order by xid, ord) as nth_of_fill
      from told n
      where not exists (select from ledger.fill_alias k where (k.made_fill_id, k.fill_id) = (n.made_fill_id, n.fill_id))
    ), added as (
      insert into ledger.fill_alias (made_fill_id, fill_id, epoch, xid)
      select made_fill_id, fill_id, p_epoch, xid from new n
      where nth_of_made + (select count(*) from ledger.fill_alias k where k.made_fill_id = n.made_fill_id) <= v_most
        and nth_of_fill + (select count(*) from ledger.fill_alias k where k.fill_id = n.fill_id) <= v_most
      returning made_fill_id, fill_id
    )
    select array_agg(made_fill_id), array_agg(fill_id) into v_made, v_made_of from added;

    with added as (
      insert into ledger.order_fill (order_id, fill_id)
      select distinct order_id, fill_id from ledger.fill_report
      where epoch = p_epoch and xid >= p_from and xid < p_below
        and accepted_at between p_fills_from and p_fills_to and order_id is not null
      on conflict do nothing
      returning order_id, fill_id
    )
    select array_agg(order_id), array_agg(fill_id) into v_order, v_order_fill from added;

    with told as (
      select distinct on (order_id, trace_id) order_id, trace_id, xid, ord from ledger.fill_report
      where epoch = p_epoch and xid >= p_from and xid < p_below
        and accepted_at between p_fills_from and p_fills_to and order_id is not null and trace_id is not null
      order by order_id, trace_id, xid, ord
    ), new as (
      select order_id, trace_id, row_number() over (partition by order_id order by xid, ord) as nth from told n
      where not exists (select from ledger.order_trace k where (k.order_id, k.trace_id) = (n.order_id, n.trace_id))
    ), added as (
      insert into ledger.order_trace (order_id, trace_id)
      select order_id, trace_id from new n
      where nth + (select count(*) from ledger.order_trace k where k.order_id = n.order_id) <= v_most
      returning order_id, trace_id
    )
    select array_agg(order_id), array_agg(trace_id) into v_traced, v_order_trace from added;

    with added as (
      insert into ledger.fill_trace (trace_id, fill_id)
      select trace_id, fill_id from ledger.fill_report
        where epoch = p_epoch and xid >= p_from and xid < p_below
        and accepted_at between p_fills_from and p_fills_to and trace_id is not null
      union
      select t.trace_id, n.fill_id from unnest(v_order, v_order_fill) as n (order_id, fill_id)
        join ledger.order_trace t on t.order_id = n.order_id
      union
      select n.trace_id, f.fill_id from unnest(v_traced, v_order_trace) as n (order_id, trace_id)
        join ledger.order_fill f on f.order_id = n.order_id
      on conflict do nothing
      returning trace_id, fill_id
    )
    select array_agg(trace_id), array_agg(fill_id) into v_trace, v_fill from added;

    -- A fill has the traces that it has under its other name.
    with added as (
      insert into ledger.fill_trace (trace_id, fill_id)
      select t.trace_id, n.fill_id from unnest(v_made, v_made_of) as n (made_fill_id, fill_id)
        join ledger.fill_trace t on t.fill_id = n.made_fill_id
      union
      select n.trace_id, k.fill_id from unnest(v_trace, v_fill) as n (trace_id, fill_id)
        join ledger.fill_alias k on k.made_fill_id = n.fill_id
      on conflict do nothing
      returning trace_id, fill_id
    )
    select array_agg(trace_id), array_agg(fill_id) into v_more_trace, v_more_fill from added;
  end if;

  return query
    with found as (
      -- The window's actions, with all fills that are known.
      select a.accepted_at, a.event_id, a.session_id, a.wallet, a.action_type, a.trace_id, t.fill_id, a.epoch, a.xid, a.ord
      from ledger.user_action a
      cross join lateral (select fill_id from ledger.fill_trace where trace_id = a.trace_id limit v_links) t
      where a.epoch = p_epoch and a.xid >= p_from and a.xid < p_below
        and a.accepted_at between p_actions_from and p_actions_to and a.trace_id is not null
      union all
      -- The actions before the window, with the fills that are new.
      select a.accepted_at, a.event_id, a.session_id, a.wallet, a.action_type, a.trace_id, n.fill_id, a.epoch, a.xid, a.ord
      from unnest(v_trace || v_more_trace, v_fill || v_more_fill) as n (trace_id, fill_id)
      cross join lateral (
        select * from ledger.user_action
        where trace_id = n.trace_id and (epoch, xid) < (p_epoch, p_from) limit v_links
      ) a
    )
    insert into ledger.fill_link (
      action_accepted_at, linked_at, epoch, ord, retained_until, record_id, event_id, session_id, wallet,
      action_type, trace_id, fill_id)
    select accepted_at, p_at, p_epoch, row_number() over (order by epoch, xid, ord, fill_id) - 1,
      maintenance.retained_until(p_at), maintenance.ulid(p_at), event_id, session_id, wallet, action_type,
      trace_id, fill_id
    from found f
    -- A fill that has an id of its own is linked by it, unless it was linked before that was known.
    where not exists (select from ledger.fill_alias k where k.made_fill_id = f.fill_id)
      and not exists (
        select from ledger.fill_alias k join ledger.fill_link l
          on l.action_accepted_at = f.accepted_at and l.event_id = f.event_id and l.fill_id = k.made_fill_id
        where k.fill_id = f.fill_id)
    on conflict do nothing
    returning event_id, session_id, fill_id;
end $$;

reset role;
