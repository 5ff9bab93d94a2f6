set local role governance_owner;

-- A receipt for each account that was scrubbed: what stands for the wallet, which closing asked for it,
-- and how many rows were changed in which table (R11).
create table ledger.erasure (
  receipt_id text collate "C" primary key,
  identity text collate "C" not null unique,
  record_id text collate "C" not null,
  asked_by text collate "C" not null,
  asked_at timestamptz not null,
  scrubbed_at timestamptz not null,
  records bigint not null,
  tables_json text not null,
  key_id text collate "C" not null
);
select maintenance.make_append_only('ledger.erasure');
grant select on ledger.erasure to governance_writer;

-- Tables without mentions of their own hold ids, and ids may name wallets. Nearly none do; these indexes
-- hold only those rows, so that the scrub need not read the tables.
create index fill_link_named on ledger.fill_link (fill_id)
  where (event_id || ' ' || session_id || ' ' || trace_id || ' ' || fill_id) ~* '(^|[^0-9a-f])(0{24})?[0-9a-f]{40}($|[^0-9a-f])';
create index session_gap_named on ledger.session_gap (session_id)
  where session_id ~* '(^|[^0-9a-f])(0{24})?[0-9a-f]{40}($|[^0-9a-f])';
create index session_seen_named on ledger.session_seen (session_id)
  where session_id ~* '(^|[^0-9a-f])(0{24})?[0-9a-f]{40}($|[^0-9a-f])';
create index fill_trace_named on ledger.fill_trace (fill_id)
  where (trace_id || ' ' || fill_id) ~* '(^|[^0-9a-f])(0{24})?[0-9a-f]{40}($|[^0-9a-f])';
create index order_trace_named on ledger.order_trace (order_id)
  where (order_id || ' ' || trace_id) ~* '(^|[^0-9a-f])(0{24})?[0-9a-f]{40}($|[^0-9a-f])';
create index order_fill_named on ledger.order_fill (order_id)
  where (order_id || ' ' || fill_id) ~* '(^|[^0-9a-f])(0{24})?[0-9a-f]{40}($|[^0-9a-f])';
create index fill_alias_named on ledger.fill_alias (fill_id)
  where (made_fill_id || ' ' || fill_id) ~* '(^|[^0-9a-f])(0{24})?[0-9a-f]{40}($|[^0-9a-f])';

-- Ids that one row takes from another are rewritten one table after the other.
do $$
declare
  v record;
begin
  for v in select conrelid::regclass as name, conname from pg_constraint
    where contype = 'f' and connamespace::regnamespace::text in ('ledger', 'access', 'maintenance') loop
    execute format('alter table %s alter constraint %I deferrable initially immediate', v.name, v.conname);
  end loop;
end $$;

reset role;
