set local role governance_owner;

-- One row for each decision on a configuration write. bot_key and param_key are the names as they
-- compare (R24): lower case, without "_" and "-".
create table auditor.parameter_change (
  accepted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  epoch int not null,
  ord int not null,
  changed_at_ns bigint,
  allowed boolean not null,
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
  old_value_json text,
  new_value_json text,
  inexact_json text
) partition by range (accepted_at);
create index parameter_change_order on auditor.parameter_change (epoch, xid, ord);
create index parameter_change_param on auditor.parameter_change (bot_key, param_key, epoch, xid, ord);
create index parameter_change_record on auditor.parameter_change (record_id);
select maintenance.make_append_only('auditor.parameter_change');
grant select, insert on auditor.parameter_change to governance_writer;

-- Which write ids a subject has used, and for what (R10). content_hash is keyed.
create table auditor.write_key (
  subject text collate "C" not null,
  write_id text collate "C" not null,
  record_id text collate "C" not null,
  accepted_at timestamptz not null,
  content_hash bytea not null,
  primary key (subject, write_id)
);
select maintenance.make_append_only('auditor.write_key');
grant select, insert on auditor.write_key to governance_writer;

-- Records a batch of decisions in one transaction, as ledger.append does; a decision without a
-- write_id is always new. Answers for those whose write_id was taken.
create function auditor.append(
  p_record_id text[], p_accepted_at timestamptz[], p_bot_slug text[], p_param_name text[], p_bot_key text[],
  p_param_key text[], p_old_value_json text[], p_new_value_json text[], p_inexact_json text[],
  p_editor_id text[], p_recorded_by text[], p_ticket_ref text[], p_environment text[], p_write_id text[],
  p_trace_id text[], p_changed_at_ns bigint[], p_allowed boolean[], p_verdict text[], p_mode text[],
  p_param_tier text[], p_ticket_status text[], p_reason_code text[], p_policy_version text[],
  p_content_hash bytea[]
) returns table (index int, same_content boolean, first_record_id text, first_accepted_at timestamptz)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_epoch int := log.current_epoch();
  v_recorded int;
begin
  with input as (
    select * from unnest(
      p_record_id, p_accepted_at, p_bot_slug, p_param_name, p_bot_key, p_param_key, p_old_value_json,
      p_new_value_json, p_inexact_json, p_editor_id, p_recorded_by, p_ticket_ref, p_environment, p_write_id,
      p_trace_id, p_changed_at_ns, p_allowed, p_verdict, p_mode, p_param_tier, p_ticket_status, p_reason_code,
      p_policy_version, p_content_hash
    ) with ordinality as i (
      record_id, accepted_at, bot_slug, param_name, bot_key, param_key, old_value_json,
      new_value_json, inexact_json, editor_id, recorded_by, ticket_ref, environment, write_id,
      trace_id, changed_at_ns, allowed, verdict, mode, param_tier, ticket_status, reason_code,
      policy_version, content_hash, nth)
  ), claimed as (
    insert into auditor.write_key (subject, write_id, record_id, accepted_at, content_hash)
    select distinct on (recorded_by collate "C", write_id collate "C")
      recorded_by, write_id, record_id, accepted_at, content_hash
    from input where write_id is not null
    order by recorded_by collate "C", write_id collate "C", nth
    on conflict do nothing
    returning record_id
  )
  insert into auditor.parameter_change (
    accepted_at, epoch, ord, changed_at_ns, allowed, verdict, mode, param_tier, ticket_status, reason_code,
    policy_version, record_id, bot_slug, param_name, bot_key, param_key, editor_id, recorded_by, ticket_ref,
    environment, write_id, trace_id, old_value_json, new_value_json, inexact_json)
  select accepted_at, v_epoch, nth - 1, changed_at_ns, allowed, verdict, mode, param_tier, ticket_status, reason_code,
    policy_version, record_id, bot_slug, param_name, bot_key, param_key, editor_id, recorded_by, ticket_ref,
    environment, write_id, trace_id, old_value_json, new_value_json, inexact_json
  from input where write_id is null or record_id in (select record_id from claimed);
  get diagnostics v_recorded = row_count;

  if v_recorded < cardinality(p_record_id) then
    return query
      select (i.nth - 1)::int, k.content_hash = i.content_hash, k.record_id, k.accepted_at
      from unnest(p_recorded_by, p_write_id, p_content_hash, p_record_id)
        with ordinality as i (subject, write_id, content_hash, record_id, nth)
      join auditor.write_key k on k.subject = i.subject and k.write_id = i.write_id
      where k.record_id <> i.record_id;
  end if;
end $$;
grant execute on function auditor.append to governance_writer;

reset role;
