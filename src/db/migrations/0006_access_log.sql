set local role governance_owner;

-- One row for each call that read the ledger or the audit history, and for each that was refused.
create table access.read_log (
  at timestamptz not null,
  request_id text collate "C" not null,
  subject text collate "C" not null,
  roles text collate "C" not null,
  method text collate "C" not null,
  filters_json text not null,
  outcome text collate "C" not null,
  mentions text[] collate "C"
) partition by range (at);
create index read_log_at on access.read_log (at);
create index read_log_subject on access.read_log (subject, at);
create index read_log_mentions on access.read_log using gin (mentions) where mentions is not null;
select maintenance.make_append_only('access.read_log');
grant select, insert on access.read_log to governance_writer;

reset role;
