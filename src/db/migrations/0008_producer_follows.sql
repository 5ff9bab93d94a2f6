set local role governance_owner;

-- The offset that a producer's last batch followed; null for one that came with an offset of its own.
-- Batches of one stream are under way side by side, and when one is not stored the next may still be:
-- its offset must then not be taken for the last durable one, or the producer would never send the lost
-- one again. So a bookmark moves only from where its batch began, or beyond.
alter table ledger.producer add column follows bigint;

drop function ledger.append(text[], bytea[], text[], timestamptz[], date[], text[], text[], text[], text[],
  text[], text[], text[], bigint[], bigint[], text[], text[], bigint[]);

-- As before, but for what becomes of the producers' offsets.
-- Records a batch in one transaction and answers for the actions that are not simply recorded: their
-- index in the batch, whether the content was the same, and the first record.
-- Two statements, because a single one cannot tell a duplicate from a conflict while the winner of a
-- race is still uncommitted: the second one has a fresh snapshot. Keys are claimed in sorted order so
-- that two batches cannot wait for each other in a circle.
create function ledger.append(
  p_event_id text[], p_content_hash bytea[], p_record_id text[], p_accepted_at timestamptz[],
  p_retained_until date[], p_wallet text[], p_session_id text[], p_action_type text[],
  p_recorded_by text[], p_trace_id text[], p_params_json text[], p_inexact_json text[],
  p_occurred_at_ns bigint[], p_session_seq bigint[],
  p_producer_subject text[], p_producer_stream text[], p_producer_offset bigint[], p_producer_follows bigint[]
) returns table (index int, same_content boolean, first_record_id text, first_accepted_at timestamptz)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_epoch int := log.current_epoch();
  v_recorded int;
begin
  with input as (
    select * from unnest(
      p_event_id, p_content_hash, p_record_id, p_accepted_at, p_retained_until, p_wallet, p_session_id,
      p_action_type, p_recorded_by, p_trace_id, p_params_json, p_inexact_json, p_occurred_at_ns, p_session_seq
    ) with ordinality as i (
      event_id, content_hash, record_id, accepted_at, retained_until, wallet, session_id,
      action_type, recorded_by, trace_id, params_json, inexact_json, occurred_at_ns, session_seq, nth)
  ), claimed as (
    insert into ledger.event_key (event_id, record_id, accepted_at, epoch, ord, content_hash)
    select distinct on (event_id collate "C") event_id, record_id, accepted_at, v_epoch, nth - 1, content_hash
    from input order by event_id collate "C", nth
    on conflict do nothing
    returning record_id
  )
  insert into ledger.user_action (
    accepted_at, epoch, ord, retained_until, session_seq, occurred_at_ns, record_id, event_id, wallet,
    session_id, action_type, recorded_by, trace_id, params_json, inexact_json)
  select accepted_at, v_epoch, nth - 1, retained_until, session_seq, occurred_at_ns, record_id, event_id, wallet,
    session_id, action_type, recorded_by, trace_id, params_json, inexact_json
  from input where record_id in (select record_id from claimed);
  get diagnostics v_recorded = row_count;

  if cardinality(p_producer_subject) > 0 then
    insert into ledger.producer as p (subject, stream_id, last_offset, follows)
    select subject, stream_id, last_offset, follows from (
      select subject collate "C", stream_id collate "C", (array_agg(last_offset order by nth desc))[1],
        case when bool_and(follows is not null) then (array_agg(follows order by nth))[1] end
      from unnest(p_producer_subject, p_producer_stream, p_producer_offset, p_producer_follows)
        with ordinality as i (subject, stream_id, last_offset, follows, nth)
      group by 1, 2
    ) as b (subject, stream_id, last_offset, follows)
    where coalesce(follows, 0) = 0
      or exists (select from ledger.producer k where (k.subject, k.stream_id) = (b.subject, b.stream_id))
    order by subject, stream_id
    on conflict (subject, stream_id) do update
      set follows = excluded.follows, last_offset =
        case when excluded.follows is null then excluded.last_offset
             else greatest(p.last_offset, excluded.last_offset) end
      where excluded.follows is null or p.last_offset >= excluded.follows;
  end if;

  if v_recorded < cardinality(p_event_id) then
    insert into ledger.conflict (
      event_id, content_hash, first_record_id, accepted_at, epoch, ord, session_seq, occurred_at_ns,
      wallet, session_id, action_type, recorded_by, trace_id, params_json, inexact_json)
    select i.event_id, i.content_hash, k.record_id, i.accepted_at, v_epoch, i.nth - 1, i.session_seq,
      i.occurred_at_ns, i.wallet, i.session_id, i.action_type, i.recorded_by, i.trace_id, i.params_json,
      i.inexact_json
    from unnest(
      p_event_id, p_content_hash, p_accepted_at, p_wallet, p_session_id, p_action_type, p_recorded_by,
      p_trace_id, p_params_json, p_inexact_json, p_occurred_at_ns, p_session_seq
    ) with ordinality as i (
      event_id, content_hash, accepted_at, wallet, session_id, action_type, recorded_by, trace_id,
      params_json, inexact_json, occurred_at_ns, session_seq, nth)
    join ledger.event_key k on k.event_id = i.event_id
    where k.content_hash <> i.content_hash
    order by i.event_id collate "C", i.content_hash
    on conflict do nothing;

    return query
      select (i.nth - 1)::int, k.content_hash = i.content_hash, k.record_id, k.accepted_at
      from unnest(p_event_id, p_content_hash, p_record_id)
        with ordinality as i (event_id, content_hash, record_id, nth)
      join ledger.event_key k on k.event_id = i.event_id
      where k.record_id <> i.record_id;
  end if;
end $$;
grant execute on function ledger.append to governance_writer;

reset role;
