set local role governance_owner;

-- Makes the partitions of one month, where they are missing: of p_tables, or of every table. A partition
-- is built aside and attached, which does not hold up writers. Each gets its own TRUNCATE trigger:
-- statement triggers are not inherited from the parent.
create function maintenance.ensure_month(p_at timestamptz, p_tables text[] default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  v_from timestamptz := date_trunc('month', p_at);
  v_to timestamptz := date_trunc('month', p_at) + interval '1 month';
  v_parent regclass;
  v_schema text;
  v_name text;
begin
  perform pg_advisory_xact_lock(hashtextextended('governance.partitions', 0));
  foreach v_parent in array array[
    'ledger.user_action'::regclass, 'ledger.fill_report'::regclass, 'ledger.fill_link'::regclass,
    'ledger.session_gap'::regclass, 'auditor.parameter_change'::regclass, 'auditor.ticket_recheck'::regclass,
    'auditor.confirmation'::regclass, 'auditor.config_drift'::regclass, 'access.read_log'::regclass
  ] loop
    continue when v_parent <> all (p_tables::regclass[]);
    select n.nspname, c.relname || to_char(v_from, '_YYYY_MM') into v_schema, v_name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = v_parent;
    if to_regclass(format('%I.%I', v_schema, v_name)) is null then
      execute format('create table %I.%I (like %s including defaults including constraints)', v_schema, v_name, v_parent);
      execute format('create trigger no_truncate before truncate on %I.%I
                      for each statement execute function maintenance.refuse_truncate()', v_schema, v_name);
      execute format('alter table %I.%I enable always trigger no_truncate', v_schema, v_name);
      execute format('alter table %s attach partition %I.%I for values from (%L) to (%L)',
                     v_parent, v_schema, v_name, v_from, v_to);
      -- Row triggers come with attaching, but not always their ENABLE ALWAYS.
      execute format('alter table %I.%I enable always trigger append_only', v_schema, v_name);
    end if;
  end loop;
end $$;
grant execute on function maintenance.ensure_month to governance_writer;

reset role;
