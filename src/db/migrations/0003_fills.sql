set local role governance_owner;

-- One row for each execution report: a fill, or a later status of one; the reports of a fill are its
-- history. fill_id names the fill: the id that came, or trade_id, a colon and order_id.
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
create index fill_report_wallet on ledger.fill_report (lower(wallet), epoch, xid, ord) where wallet is not null;
create index fill_report_mentions on ledger.fill_report using gin (mentions) where mentions is not null;
select maintenance.make_append_only('ledger.fill_report');
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
grant select on ledger.fill_link to governance_writer;

-- What is known of fills, traces and orders, kept by ledger.link alone; every row follows from the
-- reports, and none is ever taken back.
create table ledger.fill_trace (
  trace_id text collate "C" not null,
  fill_id text collate "C" not null,
  primary key (trace_id, fill_id)
);
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
-- A fill that came by trade_id and order_id is the one of this fill_id.
create table ledger.fill_alias (
  made_fill_id text collate "C" primary key,
  fill_id text collate "C" not null
);
select maintenance.make_append_only(t) from unnest(array[
  'ledger.fill_trace', 'ledger.order_trace', 'ledger.order_fill', 'ledger.fill_alias']::regclass[]) t;
grant select on ledger.fill_trace, ledger.order_trace, ledger.order_fill, ledger.fill_alias to governance_writer;

-- Links what the window of the log [p_from, p_below) brought, in one transaction with what is called
-- beside it. Answers the links made. Called by log.follow alone, one call at a time.
create function ledger.link(p_epoch int, p_from xid8, p_below xid8, p_at timestamptz)
returns table (event_id text, session_id text, fill_id text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return;
end $$;

reset role;
