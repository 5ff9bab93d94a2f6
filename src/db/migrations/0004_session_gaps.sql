set local role governance_owner;

-- Which numbers of a session's actions have been seen (R21), kept by ledger.note_gaps alone.
create table ledger.session_seen (
  session_id text collate "C" primary key,
  seen int8multirange not null,
  missing int8multirange not null,
  detected_at timestamptz not null
);
create index session_seen_missing on ledger.session_seen (session_id) where not isempty(missing);
grant select on ledger.session_seen to governance_writer;

-- One row each time numbers were noticed missing, or arrived after all.
create table ledger.session_gap (
  accepted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  retained_until date not null,
  record_id text collate "C" not null,
  session_id text collate "C" not null,
  wallet text collate "C" not null,
  opened int8multirange not null,
  closed int8multirange not null,
  missing int8multirange not null
) partition by range (accepted_at);
create index session_gap_order on ledger.session_gap (epoch, xid, ord);
create index session_gap_session on ledger.session_gap (session_id);
create index session_gap_wallet on ledger.session_gap (lower(wallet));
select maintenance.make_append_only('ledger.session_gap');
grant select on ledger.session_gap to governance_writer;

-- Notes the gaps that the window of the log [p_from, p_below) opened and closed. Called by log.follow
-- alone, one call at a time.
create function ledger.note_gaps(p_epoch int, p_from xid8, p_below xid8, p_at timestamptz)
returns table (session_id text, opened text, closed text, missing text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return;
end $$;

reset role;
