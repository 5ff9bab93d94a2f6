set local role governance_owner;

-- How far into each stream of the bus everything is on record or among the dead letters. It moves in the
-- transaction that records, and only from where that transaction's batch began: two replicas that both take
-- themselves for the one that reads cannot both commit. created and message_ms, the time of the message at
-- `sequence`, tell a stream that was made anew, or lost its last messages, from the one that was read.
-- Bookmarks, not records: they move.
create table log.bus_source (
  source text collate "C" not null,
  stream text collate "C" not null,
  created text collate "C" not null,
  sequence bigint not null,
  message_ms bigint,
  moved_at timestamptz not null default now(),
  primary key (source, stream)
);
grant select, insert, update on log.bus_source to governance_writer;

-- How far the log is published to each stream of reports.
create table log.bus_reports (
  stream text collate "C" primary key,
  epoch int not null,
  position bigint not null,
  moved_at timestamptz not null default now()
);
grant select, insert, update on log.bus_reports to governance_writer;

reset role;
