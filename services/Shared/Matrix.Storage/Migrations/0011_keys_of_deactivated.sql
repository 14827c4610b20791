-- oldest compatible version: 1
-- Who is gone for good has no keys. Here, because accounts are ended in several ways.
create function forget_keys_of_deactivated() returns trigger language plpgsql as $$
begin
    delete from cross_signing_keys where user_id = new.user_id;
    delete from master_key_signatures where target_user_id = new.user_id or signer_user_id = new.user_id;
    delete from key_backups where user_id = new.user_id;
    return null;
end $$;
create index master_key_signatures_by_signer on master_key_signatures (signer_user_id);
create trigger deactivated_has_no_keys after update of deactivated on users
    for each row when (new.deactivated and not old.deactivated) execute function forget_keys_of_deactivated();
