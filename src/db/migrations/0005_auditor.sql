set local role governance_owner;

-- One row for each decision on a configuration write. bot_key and param_key are the names as they
-- compare (R24): lower case, without "_" and "-". cause: why there was no verdict, of a write that went
-- through without one (reason_code UNGATED_WRITE, R6) and of no other. automated: the policy names the
-- token's subject as automation for this parameter (R16). masked_json: where secrets were masked, as JSON
-- Pointers. new_value_hash: tells whether two values are the same, however they are spelt; null where there
-- is no value. stale_against: the decision that let the last recorded value in, where old_value is not it.
-- break_glass_reason: why a write was allowed without a ticket.
create table auditor.parameter_change (
  accepted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  changed_at_ns bigint,
  allowed boolean not null,
  automated boolean not null,
  verdict text collate "C" not null,
  mode text collate "C" not null,
  param_tier text collate "C" not null,
  ticket_status text collate "C" not null,
  reason_code text collate "C" not null,
  policy_version text collate "C" not null,
  record_id text collate "C" not null,
  bot_slug text collate "C" not null,
  param_name text collate "C" not null,
  bot_key text collate "C" not null,
  param_key text collate "C" not null,
  editor_id text collate "C" not null,
  recorded_by text collate "C" not null,
  ticket_ref text collate "C",
  environment text collate "C",
  write_id text collate "C",
  trace_id text collate "C",
  cause text collate "C",
  old_value_json text,
  new_value_json text,
  inexact_json text,
  new_value_hash bytea,
  masked_json text,
  stale_against text collate "C",
  break_glass_reason text collate "C",
  constraint break_glass_has_reason check ((break_glass_reason is not null) = (reason_code = 'BREAK_GLASS_USED')),
  constraint cause_of_ungated check ((cause is not null) = (reason_code = 'UNGATED_WRITE'))
) partition by range (accepted_at);
create index parameter_change_order on auditor.parameter_change (epoch, xid, ord);
create index parameter_change_param on auditor.parameter_change (bot_key, param_key, epoch, xid, ord);
create index parameter_change_record on auditor.parameter_change (record_id);
-- The writes whose tickets are asked about again (R7): few, among very many.
create index parameter_change_unverified on auditor.parameter_change (accepted_at)
  where ticket_status = 'UNVERIFIED' and allowed;
create index parameter_change_ungated on auditor.parameter_change (epoch, xid, ord) where reason_code = 'UNGATED_WRITE';
create index parameter_change_break_glass on auditor.parameter_change (epoch, xid, ord)
  where break_glass_reason is not null;
select maintenance.make_append_only('auditor.parameter_change');
select log.make_source('auditor.parameter_change', 'c', 'accepted_at');
grant select, insert on auditor.parameter_change to governance_writer;

-- Which write ids a subject has used, and for what (R10). content_hash is keyed. ungated: of a write that
-- was rejected and then went through all the same, as its caller never heard the verdict; then the write id
-- names both records.
create table auditor.write_key (
  subject text collate "C" not null,
  write_id text collate "C" not null,
  ungated boolean not null,
  allowed boolean not null,
  record_id text collate "C" not null,
  accepted_at timestamptz not null,
  content_hash bytea not null,
  primary key (subject, write_id, ungated)
);
select maintenance.make_append_only('auditor.write_key');
grant select, insert on auditor.write_key to governance_writer;

-- What came out of asking again about a ticket that could not be checked in time (R7): one row for each
-- such decision, once and for all. accepted_at, bot_key and param_key are the decision's, so that both lie in
-- one month and are held and purged alike. status: VALID, INVALID, or UNKNOWN when it cannot be told any more.
create table auditor.ticket_recheck (
  accepted_at timestamptz not null,
  checked_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  record_id text collate "C" not null,
  decision_id text collate "C" not null,
  bot_key text collate "C" not null,
  param_key text collate "C" not null,
  status text collate "C" not null check (status in ('VALID', 'INVALID', 'UNKNOWN')),
  why text collate "C",
  unique (accepted_at, decision_id)
) partition by range (accepted_at);
create index ticket_recheck_order on auditor.ticket_recheck (epoch, xid, ord);
select maintenance.make_append_only('auditor.ticket_recheck');
select log.make_source('auditor.ticket_recheck', 't', 'accepted_at');
grant select, insert on auditor.ticket_recheck to governance_writer;

-- Records a batch of decisions in one transaction, as ledger.append does; a decision without a write_id is
-- always new. A write with a cause is ungated: it folds into the decision that its write_id led to, unless
-- that was a rejection. claimless_hash: of an ungated write, the hash of its content without the time it
-- claims, for a decision that was asked for without one. Answers for those whose write_id was taken.
create function auditor.append(
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
  where write_id is null or record_id in (select unnest(v_claimed));
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
grant execute on function auditor.append to governance_writer;

-- Somebody else's look at a use of break-glass, which is open until then: the first one stands.
create table auditor.break_glass_review (
  decision_id text collate "C" primary key,
  reviewed_by text collate "C" not null,
  reviewed_at timestamptz not null,
  comment text collate "C" not null
);
select maintenance.make_append_only('auditor.break_glass_review');
grant select, insert on auditor.break_glass_review to governance_writer;

-- What became of allowed writes (R17): one outcome a decision, the first stands. decided_at is the decision's
-- accepted_at, so that the two lie in partitions of the same month and are read together. kept_as_of: what
-- the purge counts from, never before the end of the decision's month, so that a month of confirmations never
-- goes before its decisions: without its confirmation an aborted write would be in force again.
create table auditor.confirmation (
  decided_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  confirmed_at timestamptz not null,
  kept_as_of timestamptz not null,
  decision_id text collate "C" not null,
  outcome text collate "C" not null check (outcome in ('APPLIED', 'ABORTED')),
  confirmed_by text collate "C" not null,
  primary key (decided_at, decision_id)
) partition by range (decided_at);
create index confirmation_order on auditor.confirmation (epoch, xid, ord);
select maintenance.make_append_only('auditor.confirmation');
select log.make_source('auditor.confirmation', 'w', 'decided_at');
grant select, insert on auditor.confirmation to governance_writer;

-- Records a batch of outcomes in one transaction, and answers for each: whether its write was allowed (null:
-- there is no such decision), and the outcome on record.
create function auditor.confirm(
  p_decision_id text[], p_outcome text[], p_confirmed_by text[], p_confirmed_at timestamptz[]
) returns table (index int, allowed boolean, outcome text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_epoch int := log.current_epoch();
  v_decided_at timestamptz[];
  v_allowed boolean[];
  v_month timestamptz;
begin
  select array_agg(c.accepted_at order by nth), array_agg(c.allowed order by nth) into v_decided_at, v_allowed
    from unnest(p_decision_id) with ordinality as i (decision_id, nth)
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
    from unnest(p_decision_id, p_outcome, p_confirmed_by, p_confirmed_at, v_decided_at, v_allowed)
      with ordinality as i (decision_id, outcome, confirmed_by, confirmed_at, decided_at, allowed, nth)
    where allowed
    order by decided_at, decision_id collate "C", nth
    on conflict do nothing;
  -- A statement of its own, whose snapshot sees the winner of a race.
  return query
    select (nth - 1)::int, i.allowed, w.outcome
    from unnest(p_decision_id, v_decided_at, v_allowed) with ordinality as i (decision_id, decided_at, allowed, nth)
    left join auditor.confirmation w on w.decided_at = i.decided_at and w.decision_id = i.decision_id;
end $$;
grant execute on function auditor.confirm to governance_writer;

-- Live values that were not the recorded ones when a bot was compared (R17): one row a difference and call.
-- decision_id: the decision that recorded_json is from; null where there is none on record. live_json: null
-- where the bot has no value.
create table auditor.config_drift (
  accepted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  record_id text collate "C" not null,
  bot_slug text collate "C" not null,
  param_name text collate "C" not null,
  bot_key text collate "C" not null,
  param_key text collate "C" not null,
  environment text collate "C",
  recorded_by text collate "C" not null,
  decision_id text collate "C",
  recorded_json text,
  live_json text
) partition by range (accepted_at);
create index config_drift_order on auditor.config_drift (epoch, xid, ord);
select maintenance.make_append_only('auditor.config_drift');
select log.make_source('auditor.config_drift', 'd', 'accepted_at');
grant select, insert on auditor.config_drift to governance_writer;

reset role;
