set local role governance_owner;

-- Which numbers of a session's actions have been seen (R21), kept by ledger.note_gaps alone. In all
-- multiranges of this file the number n is the range [n - 1, n), so that [2, 5) are the numbers 3 to 5: the
-- largest bigint has no range of its own otherwise.
create function ledger.range_count(p_ranges int8multirange) returns int
language sql immutable set search_path = pg_catalog, pg_temp as 'select count(*)::int from unnest(p_ranges)';

create table ledger.session_seen (
  session_id text collate "C" primary key,
  seen int8multirange not null,
  missing int8multirange not null,
  detected_at timestamptz not null,
  ranges int not null generated always as (ledger.range_count(seen)) stored
);
create index session_seen_missing on ledger.session_seen (session_id) where not isempty(missing);
grant select on ledger.session_seen to governance_writer;

-- One row each time numbers were noticed missing, or arrived after all. What is still missing is not
-- repeated in each: of a producer that numbers at random it would grow with the square of the actions.
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
  closed int8multirange not null
) partition by range (accepted_at);
create index session_gap_order on ledger.session_gap (epoch, xid, ord);
create index session_gap_session on ledger.session_gap (session_id);
create index session_gap_wallet on ledger.session_gap (lower(wallet));
select maintenance.make_append_only('ledger.session_gap');
select log.make_source('ledger.session_gap', 'g', 'accepted_at');
grant select on ledger.session_gap to governance_writer;

-- Most producers number nothing: looking for what is numbered must not read what is not.
create index user_action_numbered on ledger.user_action (epoch, xid) where session_seq is not null;

-- Notes the gaps that the window of the log [p_from, p_below) opened and closed. What is missing follows
-- from the numbers seen alone, 1 to the largest, so the order they came in makes no difference. Called by
-- log.follow alone, one call at a time.
-- Each step of a session costs what its ranges cost. A producer that numbers at random would hold up the
-- whole log one day, so a session with more ranges than v_most at once is noted no further.
create function ledger.note_gaps(
  p_epoch int, p_from xid8, p_below xid8, p_actions_from timestamptz, p_actions_to timestamptz, p_at timestamptz
) returns table (session_id text, opened text, closed text, missing text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_most constant int := 5000;
begin
  if not exists (
    select from ledger.user_action
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_actions_from and p_actions_to and session_seq is not null
  ) then
    return;
  end if;
  -- Nobody made this month's partitions when the clock has jumped.
  if to_regclass(format('ledger.session_gap_%s', to_char(p_at at time zone 'UTC', 'YYYY_MM'))) is null then
    perform maintenance.ensure_month(p_at, '{ledger.session_gap}');
  end if;
  return query
    with came as (
      select session_id, range_agg(int8range(session_seq - 1, session_seq)) as numbers,
        (array_agg(wallet order by xid desc, ord desc))[1] as wallet
      from ledger.user_action
      where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_actions_from and p_actions_to and session_seq is not null
      group by session_id
    ), known as (
      select c.session_id, c.wallet, coalesce(s.seen, '{}') + c.numbers as seen, coalesce(s.missing, '{}') as missing
      from came c left join ledger.session_seen s on s.session_id = c.session_id
      where s.ranges is null or s.ranges <= v_most
    ), noted as (
      select session_id, wallet, seen, missing as missing_before,
        int8multirange(int8range(0, upper(seen))) - seen as missing
      from known
    ), kept as (
      insert into ledger.session_seen as s (session_id, seen, missing, detected_at)
      select session_id, seen, missing, p_at from noted order by session_id
      on conflict (session_id) do update set seen = excluded.seen, missing = excluded.missing,
        detected_at = case when isempty(excluded.missing - s.missing) then s.detected_at else p_at end
        where s.seen <> excluded.seen
    ), gap as (
      insert into ledger.session_gap (
        accepted_at, epoch, ord, retained_until, record_id, session_id, wallet, opened, closed)
      select p_at, p_epoch, row_number() over (order by session_id) - 1, maintenance.retained_until(p_at),
        maintenance.ulid(p_at), session_id, wallet, missing - missing_before, missing_before - missing
      from noted where missing <> missing_before
      returning session_id, opened, closed
    )
    select g.session_id, g.opened::text, g.closed::text, n.missing::text
    from gap g join noted n on n.session_id = g.session_id
    order by g.session_id;
end $$;

reset role;
