set local role governance_owner;

-- Two more kinds of record become sources of the log: 'b' a review of break-glass, and 'n' that a parameter of the
-- service's own is, or was to be, below a floor. Reviews of before this migration get no position, as in 0016.

-- At a start with such a value, and when somebody (asked_by) or the config file was refused one.
create table maintenance.floor_notice (
  noticed_at timestamptz not null,
  epoch int not null default log.current_epoch(),
  xid xid8 not null default pg_current_xact_id(),
  -- One a transaction.
  ord int not null default 0,
  occasion text collate "C" not null check (occasion in ('START', 'UPDATE', 'FILE')),
  bot_id text collate "C" not null,
  param_name text collate "C" not null,
  value_json text collate "C" not null,
  reason_codes text[] not null,
  asked_by text collate "C" check ((asked_by is not null) = (occasion = 'UPDATE'))
);
create index on maintenance.floor_notice (epoch, xid, ord);
select maintenance.make_append_only('maintenance.floor_notice');
select log.make_source('maintenance.floor_notice', 'n', 'noticed_at');
grant select, insert on maintenance.floor_notice to governance_writer;

alter table auditor.break_glass_review add column epoch int, add column xid xid8, add column ord int;
alter table auditor.break_glass_review alter column epoch set default log.current_epoch(),
  alter column xid set default pg_current_xact_id(), alter column ord set default 0;
create index on auditor.break_glass_review (epoch, xid, ord) where epoch is not null;
select log.make_source('auditor.break_glass_review', 'b', 'reviewed_at');

-- The functions that name every source, with these two behind the others.
do $$
declare
  v_function regproc;
  v_was text;
  v_is text;
begin
  foreach v_function in array '{log.written_between,log.unplaced,log.advance,log.begin_epoch}'::regproc[] loop
    v_was := pg_get_functiondef(v_function);
    v_is := replace(v_was, ',p,e,s}', ',p,e,s,b,n}');
    v_is := replace(v_is, $new$('s', 'ledger.erasure'))$new$,
      $new$('s', 'ledger.erasure'), ('b', 'auditor.break_glass_review'), ('n', 'maintenance.floor_notice'))$new$);
    v_is := replace(v_is, 'p_from_at[15] is not null', $new$p_from_at[15] is not null
  union all
  select 'b'::"char", xid, ord, reviewed_at from auditor.break_glass_review
    where epoch = p_epoch and xid >= p_from and xid < p_below and p_from_at[16] is not null
  union all
  select 'n'::"char", xid, ord, noticed_at from maintenance.floor_notice
    where epoch = p_epoch and xid >= p_from and xid < p_below and p_from_at[17] is not null$new$);
    if v_is = v_was then raise exception '% does not name its sources as expected', v_function; end if;
    execute v_is;
  end loop;
end $$;

reset role;
