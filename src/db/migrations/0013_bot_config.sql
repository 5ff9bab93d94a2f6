set local role governance_owner;

-- What UpdateBotConfig set, for both bots; a parameter's row with the highest seq is in force. Writers hold
-- the lock maintenance.take_bot_config_turn, so seq is the order of their commits too. `editor` is the token's
-- subject, `claimed_editor_id` whom the request named. Nothing below a floor (R2, R3) gets in, whoever asks.
create table maintenance.bot_config (
  seq bigint generated always as identity primary key,
  bot_id text collate "C" not null,
  param_name text collate "C" not null,
  value_json text not null,
  decision_id text collate "C" not null unique,
  editor text collate "C" not null,
  claimed_editor_id text collate "C" not null,
  at timestamptz not null,
  constraint floors check (
    case param_name
      when 'retain_days' then value_json::numeric >= 2555
      when 'retain_history_days' then value_json::numeric >= 365
      else true
    end)
);
create index bot_config_latest on maintenance.bot_config (bot_id, param_name, seq desc);
select maintenance.make_append_only('maintenance.bot_config');
grant select on maintenance.bot_config to governance_writer;

-- One change at a time in the whole cluster, until its transaction ends: the values it was decided on are
-- those it replaces, and decisions are on record in the order in which they came into force.
create function maintenance.take_bot_config_turn() returns void
language sql set search_path = pg_catalog, pg_temp as $$
  select pg_advisory_xact_lock(hashtextextended('governance.bot_config', 0))
$$;
grant execute on function maintenance.take_bot_config_turn to governance_writer;

-- Puts in force what a recorded decision allowed. Everything but the claim is read from the decision, so the
-- two cannot disagree. Answers the new row's seq.
create function maintenance.store_bot_config(p_decision_id text, p_claimed_editor_id text, p_at timestamptz)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_row maintenance.bot_config;
begin
  perform maintenance.take_bot_config_turn();
  insert into maintenance.bot_config (bot_id, param_name, value_json, decision_id, editor, claimed_editor_id, at)
    select bot_slug, param_name, new_value_json, record_id, recorded_by, p_claimed_editor_id, p_at
    from auditor.parameter_change
    where record_id = p_decision_id and allowed
      and bot_slug in ('gov.useractivityledger', 'gov.parameterchangeauditor')
    returning * into v_row;
  if not found then
    raise exception 'no decision allows this change' using errcode = 'no_data_found';
  end if;
  -- In force from this commit on, so the write is confirmed with it (R17).
  perform auditor.confirm(array[v_row.decision_id], array['APPLIED'], array[v_row.editor], array[p_at]);
  if v_row.param_name in ('retain_days', 'retain_history_days') then
    perform maintenance.note_retain_days(v_row.bot_id, v_row.value_json::int, p_at);
  end if;
  return v_row.seq;
end $$;
grant execute on function maintenance.store_bot_config to governance_writer;

reset role;
