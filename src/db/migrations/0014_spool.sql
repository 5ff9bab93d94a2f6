set local role governance_owner;

-- Records that were acknowledged from a replica's spool under a key that was on record by then (R23). FOLDED: with
-- the same content; the id that its caller was told stands for the first record. CONFLICT: with other content, which
-- is kept apart: an action among ledger.conflict, a decision on record without its write id.
create table log.settled (
  record_id text collate "C" primary key,
  became text collate "C" not null check (became in ('FOLDED', 'CONFLICT')),
  first_record_id text collate "C" not null,
  settled_at timestamptz not null
);
select maintenance.make_append_only('log.settled');
grant select, insert on log.settled to governance_writer;

-- Times that a bot of one replica was without this database, and what became of the records of that time. Few, and
-- without personal data: they are kept.
create table log.recovery (
  recorded_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null default log.current_epoch(),
  ord int not null default 0,
  record_id text collate "C" primary key,
  bot text collate "C" not null,
  from_at timestamptz not null,
  to_at timestamptz not null,
  buffered bigint not null,
  flushed bigint not null,
  folded bigint not null,
  conflicting bigint not null,
  refused bigint not null,
  -- null: the spool was damaged, and nothing was left that could tell how many it had held.
  lost bigint
);
create index recovery_order on log.recovery (epoch, xid, ord);
select maintenance.make_append_only('log.recovery');
select log.make_source('log.recovery', 'r', 'recorded_at');
grant select, insert on log.recovery to governance_writer;

-- As before, but a closing may come twice: its commit's answer was lost, and the spool had it too.
create or replace function ledger.append(
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
    join ledger.event_key k on k.event_id = i.event_id and k.record_id = i.record_id
    on conflict do nothing;
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

-- A decision without a write id may come twice: its commit's answer was lost, and the spool had it too.
drop index auditor.parameter_change_record;
create unique index parameter_change_record on auditor.parameter_change (record_id, accepted_at);

-- As before, but a record that is there already is left as it is.
create or replace function auditor.append(
  p_record_id text[], p_accepted_at timestamptz[], p_bot_slug text[], p_param_name text[], p_bot_key text[],
  p_param_key text[], p_old_value_json text[], p_new_value_json text[], p_inexact_json text[],
  p_editor_id text[], p_recorded_by text[], p_ticket_ref text[], p_environment text[], p_write_id text[],
  p_trace_id text[], p_changed_at_ns bigint[], p_allowed boolean[], p_verdict text[], p_mode text[],
  p_param_tier text[], p_ticket_status text[], p_reason_code text[], p_policy_version text[],
  p_content_hash bytea[], p_cause text[], p_claimless_hash bytea[], p_automated boolean[],
  p_old_value_hash bytea[], p_new_value_hash bytea[], p_masked_json text[], p_break_glass_reason text[]
) returns table (index int, same_content boolean, first_record_id text, stale_against text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_epoch int := log.current_epoch();
  v_claimed text[];
  v_after_rejection text[];
  v_recorded int;
  v_stale text[];
begin
  -- Claimed in sorted order, so that two batches cannot wait for each other in a circle.
  with claimed as (
    insert into auditor.write_key (subject, write_id, ungated, allowed, record_id, accepted_at, content_hash)
    select distinct on (subject collate "C", write_id collate "C")
      subject, write_id, false, allowed, record_id, accepted_at, content_hash
    from unnest(p_recorded_by, p_write_id, p_allowed, p_record_id, p_accepted_at, p_content_hash)
      with ordinality as i (subject, write_id, allowed, record_id, accepted_at, content_hash, nth)
    where write_id is not null
    order by subject collate "C", write_id collate "C", nth
    on conflict do nothing
    returning record_id
  )
  select coalesce(array_agg(record_id), '{}') into v_claimed from claimed;

  if exists (select from unnest(p_cause, p_record_id) as i (cause, record_id)
             where cause is not null and record_id not in (select unnest(v_claimed))) then
    with claimed as (
      insert into auditor.write_key (subject, write_id, ungated, allowed, record_id, accepted_at, content_hash)
      select distinct on (k.subject, k.write_id)
        k.subject, k.write_id, true, true, i.record_id, i.accepted_at, i.content_hash
      from unnest(p_recorded_by, p_write_id, p_cause, p_record_id, p_accepted_at, p_content_hash, p_claimless_hash)
        with ordinality as i (subject, write_id, cause, record_id, accepted_at, content_hash, claimless_hash, nth)
      join auditor.write_key k on k.subject = i.subject and k.write_id = i.write_id and not k.ungated
      where i.cause is not null and not k.allowed and k.content_hash in (i.content_hash, i.claimless_hash)
      order by k.subject, k.write_id, nth
      on conflict do nothing
      returning record_id
    )
    select coalesce(array_agg(record_id), '{}') into v_after_rejection from claimed;
    v_claimed := v_claimed || v_after_rejection;
  end if;

  -- What the parameter's last write on record left, in this batch or before it: one descent of an index for
  -- each row, and a bounded look behind what was rejected, aborted, or of another environment. Only a write
  -- whose transaction overlaps, on another replica, is not seen: order is promised within a replica (R23).
  with given as materialized (
    select i.*, write_id is null or record_id in (select unnest(v_claimed)) as is_new
    from unnest(p_bot_key, p_param_key, p_environment, p_allowed, p_record_id, p_write_id, p_old_value_hash, p_new_value_hash)
      with ordinality as i (bot_key, param_key, environment, allowed, record_id, write_id, old_hash, new_hash, nth)
  ), item as materialized (
    select g.*, case
      when environment is null then max(nth) filter (where is_new and allowed) over elder
      else greatest(max(nth) filter (where is_new and allowed) over elder_there,
                    max(nth) filter (where is_new and allowed and environment is null) over elder)
      end as elder_nth
    from given g
    window elder as (partition by bot_key, param_key order by nth rows between unbounded preceding and 1 preceding),
      elder_there as (partition by bot_key, param_key, environment
                      order by nth rows between unbounded preceding and 1 preceding)
  )
  select array_agg(case when not i.is_new then null
                        when e.record_id is null then r.stale
                        when e.new_hash is distinct from i.old_hash then e.record_id end order by i.nth) into v_stale
  from item i
  left join given e on e.nth = i.elder_nth
  left join lateral (
    select case when c.new_value_hash is distinct from i.old_hash then c.record_id end as stale
    from (
      select c.epoch, c.xid, c.ord, c.accepted_at, c.record_id, c.allowed, c.environment, c.new_value_hash
      from auditor.parameter_change c
      where i.is_new and e.record_id is null and c.bot_key = i.bot_key and c.param_key = i.param_key
      order by c.epoch desc, c.xid desc, c.ord desc limit 16
    ) c
    where c.allowed and (c.environment = i.environment) is not false
      and not exists (select from auditor.confirmation w
        where w.decided_at = c.accepted_at and w.decision_id = c.record_id and w.outcome = 'ABORTED')
    order by c.epoch desc, c.xid desc, c.ord desc limit 1
  ) r on true;

  insert into auditor.parameter_change (
    accepted_at, epoch, ord, changed_at_ns, allowed, verdict, mode, param_tier, ticket_status, reason_code,
    policy_version, record_id, bot_slug, param_name, bot_key, param_key, editor_id, recorded_by, ticket_ref,
    environment, write_id, trace_id, cause, old_value_json, new_value_json, inexact_json, automated,
    new_value_hash, masked_json, stale_against, break_glass_reason)
  select accepted_at, v_epoch, nth - 1, changed_at_ns, allowed, verdict, mode, param_tier, ticket_status, reason_code,
    policy_version, record_id, bot_slug, param_name, bot_key, param_key, editor_id, recorded_by, ticket_ref,
    environment, write_id, trace_id, cause, old_value_json, new_value_json, inexact_json, automated,
    new_value_hash, masked_json, stale_against, break_glass_reason
  from unnest(
    p_record_id, p_accepted_at, p_bot_slug, p_param_name, p_bot_key, p_param_key, p_old_value_json,
    p_new_value_json, p_inexact_json, p_editor_id, p_recorded_by, p_ticket_ref, p_environment, p_write_id,
    p_trace_id, p_changed_at_ns, p_allowed, p_verdict, p_mode, p_param_tier, p_ticket_status, p_reason_code,
    p_policy_version, p_cause, p_automated, p_new_value_hash, p_masked_json, v_stale, p_break_glass_reason
  ) with ordinality as i (
    record_id, accepted_at, bot_slug, param_name, bot_key, param_key, old_value_json,
    new_value_json, inexact_json, editor_id, recorded_by, ticket_ref, environment, write_id,
    trace_id, changed_at_ns, allowed, verdict, mode, param_tier, ticket_status, reason_code,
    policy_version, cause, automated, new_value_hash, masked_json, stale_against, break_glass_reason, nth)
  where write_id is null or record_id in (select unnest(v_claimed))
  on conflict do nothing;
  get diagnostics v_recorded = row_count;
  return query
    select (nth - 1)::int, null::boolean, null::text, stale
    from unnest(v_stale) with ordinality as i (stale, nth) where stale is not null;

  if v_recorded < cardinality(p_record_id) then
    return query
      select distinct on (i.nth) (i.nth - 1)::int, (k.content_hash in (i.content_hash, i.claimless_hash)) is true, k.record_id, null::text
      from unnest(p_recorded_by, p_write_id, p_content_hash, p_claimless_hash, p_cause, p_record_id)
        with ordinality as i (subject, write_id, content_hash, claimless_hash, cause, record_id, nth)
      join auditor.write_key k on k.subject = i.subject and k.write_id = i.write_id
      where i.record_id not in (select unnest(v_claimed)) and (i.cause is not null or not k.ungated)
      order by i.nth, k.ungated desc;
  end if;
end $$;

-- As before, but by the decision that a folded one stands for.
create or replace function auditor.confirm(
  p_decision_id text[], p_outcome text[], p_confirmed_by text[], p_confirmed_at timestamptz[]
) returns table (index int, allowed boolean, outcome text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_epoch int := log.current_epoch();
  v_decided_at timestamptz[];
  v_allowed boolean[];
  v_month timestamptz;
  -- A decision that folded into an earlier one is confirmed as that one.
  v_decision_id text[] := array(
    select coalesce((select first_record_id from log.settled s
                     where s.record_id = i.decision_id and s.became = 'FOLDED'), i.decision_id)
    from unnest(p_decision_id) with ordinality as i (decision_id, nth) order by nth);
begin
  select array_agg(c.accepted_at order by nth), array_agg(c.allowed order by nth) into v_decided_at, v_allowed
    from unnest(v_decision_id) with ordinality as i (decision_id, nth)
    left join lateral (
      select accepted_at, allowed from auditor.parameter_change where record_id = i.decision_id limit 1) c on true;
  -- The decision's month is there, its confirmations' may not be: journals make only their own months.
  for v_month in
    select distinct date_trunc('month', decided_at, 'UTC')
    from unnest(v_decided_at, v_allowed) as i (decided_at, allowed) where allowed
  loop
    if to_regclass('auditor.confirmation' || to_char(v_month at time zone 'UTC', '_YYYY_MM')) is null then
      perform maintenance.ensure_month(v_month, array['auditor.confirmation']);
    end if;
  end loop;
  -- Sorted as in auditor.append.
  insert into auditor.confirmation (decided_at, epoch, ord, confirmed_at, kept_as_of, decision_id, outcome, confirmed_by)
    select distinct on (decided_at, decision_id collate "C")
      decided_at, v_epoch, nth - 1, confirmed_at,
      greatest(confirmed_at, (date_trunc('month', decided_at at time zone 'UTC') + interval '1 month') at time zone 'UTC'),
      decision_id, outcome, confirmed_by
    from unnest(v_decision_id, p_outcome, p_confirmed_by, p_confirmed_at, v_decided_at, v_allowed)
      with ordinality as i (decision_id, outcome, confirmed_by, confirmed_at, decided_at, allowed, nth)
    where allowed
    order by decided_at, decision_id collate "C", nth
    on conflict do nothing;
  -- A statement of its own, whose snapshot sees the winner of a race.
  return query
    select (nth - 1)::int, i.allowed, w.outcome
    from unnest(v_decision_id, v_decided_at, v_allowed) with ordinality as i (decision_id, decided_at, allowed, nth)
    left join auditor.confirmation w on w.decided_at = i.decided_at and w.decision_id = i.decision_id;
end $$;

-- A call's row may come twice for the same reason.
create unique index read_log_call on access.read_log (request_id, at);
create or replace function access.append(
  p_at timestamptz[], p_request_id text[], p_subject text[], p_roles text[], p_method text[],
  p_filters_json text[], p_outcome text[], p_mentions text[], p_identities text[]
) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform ledger.refuse_closed(p_identities);
  insert into access.read_log (epoch, ord, at, request_id, subject, roles, method, filters_json, outcome, mentions)
  select log.current_epoch(), nth - 1, at, request_id, subject, roles, method, filters_json, outcome, mentions::text[]
  from unnest(p_at, p_request_id, p_subject, p_roles, p_method, p_filters_json, p_outcome, p_mentions)
    with ordinality as i (at, request_id, subject, roles, method, filters_json, outcome, mentions, nth)
  on conflict do nothing;
end $$;

reset role;
