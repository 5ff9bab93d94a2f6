set local role governance_owner;

-- One row for each call that read the ledger or the audit history, and for each that was refused. It is
-- read in commit order, (epoch, xid, ord), as the log is: `at` is not that order, and a reader paging on it
-- would skip what commits late.
create table access.read_log (
  at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  request_id text collate "C" not null,
  subject text collate "C" not null,
  roles text collate "C" not null,
  method text collate "C" not null,
  filters_json text not null,
  outcome text collate "C" not null,
  mentions text[] collate "C"
) partition by range (at);
create index read_log_order on access.read_log (epoch, xid, ord);
create index read_log_subject on access.read_log (subject, epoch, xid, ord);
create index read_log_mentions on access.read_log using gin (mentions) where mentions is not null;
select maintenance.make_append_only('access.read_log');
grant select, insert on access.read_log to governance_writer;

-- Writes a batch of calls, unless it names closed wallets (R11).
create function access.append(
  p_at timestamptz[], p_request_id text[], p_subject text[], p_roles text[], p_method text[],
  p_filters_json text[], p_outcome text[], p_mentions text[], p_identities text[]
) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform ledger.refuse_closed(p_identities);
  insert into access.read_log (epoch, ord, at, request_id, subject, roles, method, filters_json, outcome, mentions)
  select log.current_epoch(), nth - 1, at, request_id, subject, roles, method, filters_json, outcome, mentions::text[]
  from unnest(p_at, p_request_id, p_subject, p_roles, p_method, p_filters_json, p_outcome, p_mentions)
    with ordinality as i (at, request_id, subject, roles, method, filters_json, outcome, mentions, nth);
end $$;
grant execute on function access.append to governance_writer;

reset role;
