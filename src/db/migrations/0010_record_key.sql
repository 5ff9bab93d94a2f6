set local role governance_owner;

-- Which key content hashes are made with, by an id that does not give the key away. The first service
-- that starts decides; one with another key must not serve.
create table maintenance.record_key (
  only_row boolean primary key default true check (only_row),
  key_id text not null,
  since timestamptz not null default now()
);
select maintenance.make_append_only('maintenance.record_key');

create function maintenance.claim_record_key(p_key_id text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into maintenance.record_key (key_id) values (p_key_id) on conflict do nothing;
  return (select key_id from maintenance.record_key);
end $$;
grant execute on function maintenance.claim_record_key to governance_writer;

reset role;
