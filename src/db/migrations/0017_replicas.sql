set local role governance_owner;

-- The replicas that wrote to this database, and what they last said of their spools. A replica that says nothing any
-- more may hold records that it acknowledged: exports name it until its spool is drained. Not a record: it moves.
create table log.replica (
  replica_id text collate "C" primary key,
  seen_at timestamptz not null,
  spooled boolean not null,
  stopped boolean not null
);
grant select, insert, update on log.replica to governance_writer;

reset role;
