using Matrix.Storage.Streams;

namespace Matrix.Storage.Keys;

public sealed partial class CrossSigningStore
{
    /// <remarks>What changes a user's cross-signing keys comes one after the other; a statement of its own, as <see cref="DeviceKeyStore.SqlLock"/>.</remarks>
    internal const string SqlLock = "select user_id from users where user_id = $1 for no key update";

    internal const string SqlKeys = "select user_id, usage, public_key, keys from cross_signing_keys where user_id = $1";
    internal const string SqlDeviceIds = "select device_id from devices where user_id = $1 and device_id = any($2)";

    /// <remarks>
    /// $2 to $4 the keys; $5 the master key that the caller has seen, null: none. Where it is another one by now nothing is written: what the caller
    /// decided is void. A new master key takes away the keys that the old one has signed. $6 row for all contacts, null: none; $7 row for the user
    /// alone, null: none.
    /// </remarks>
    internal const string SqlReplace =
        """
        with seen as (
            select 1 where $5::text is not distinct from (select public_key from cross_signing_keys where user_id = $1 and usage = 'master')),
        given as (
            select i.usage, i.public_key, i.keys from unnest($2::text[], $3::text[], $4::bytea[]) as i(usage, public_key, keys), seen),
        new_master as (select g.public_key from given g where g.usage = 'master' and g.public_key is distinct from $5),
        dropped as (
            delete from cross_signing_keys c
            where c.user_id = $1 and exists (select 1 from new_master) and not exists (select 1 from given g where g.usage = c.usage)),
        forgotten as (
            delete from master_key_signatures s
            where s.target_user_id = $1 and exists (select 1 from new_master m where m.public_key <> s.target_key)),
        written as (
            insert into cross_signing_keys (user_id, usage, public_key, keys) select $1, g.usage, g.public_key, g.keys from given g
            on conflict (user_id, usage) do update set public_key = excluded.public_key, keys = excluded.keys returning usage),
        stream_input as (
            select 'device_lists'::text as stream, $1 as key, r.payload from (values ($6::bytea), ($7::bytea)) as r(payload)
            where r.payload is not null and exists (select 1 from written))
        """ + StreamStatement.Tail;

    /// <remarks>
    /// $2 to $5 signatures of own devices, with the hash of what was signed; $6 to $9 signatures of master keys; $10 row for all contacts; $11 users,
    /// $12 rows for the user alone about them. A row is written for what is new only.
    /// </remarks>
    internal const string SqlSign =
        """
        with new_device as (
            insert into device_key_signatures (user_id, device_id, signer_key_id, signature, signed_hash)
            select k.user_id, k.device_id, i.signer_key_id, i.signature, i.signed_hash
            from unnest($2::text[], $3::text[], $4::text[], $5::bytea[]) as i(device_id, signer_key_id, signature, signed_hash)
            join device_keys k on k.user_id = $1 and k.device_id = i.device_id
            on conflict (user_id, device_id, signer_key_id) do update set signature = excluded.signature, signed_hash = excluded.signed_hash
            where (device_key_signatures.signature, device_key_signatures.signed_hash) <> (excluded.signature, excluded.signed_hash) returning device_id),
        new_master as (
            insert into master_key_signatures (signer_user_id, target_user_id, target_key, signer_key_id, signature)
            select $1, i.target_user_id, i.target_key, i.signer_key_id, i.signature
            from unnest($6::text[], $7::text[], $8::text[], $9::text[]) as i(target_user_id, target_key, signer_key_id, signature)
            on conflict (target_user_id, signer_user_id, target_key, signer_key_id) do update set signature = excluded.signature
            where master_key_signatures.signature <> excluded.signature returning target_user_id),
        stream_input as (
            select 'device_lists'::text as stream, $1 as key, $10::bytea as payload
            where exists (select 1 from new_device) or exists (select 1 from new_master m where m.target_user_id = $1)
            union all
            select 'device_lists', $1, a.payload from unnest($11::text[], $12::bytea[]) as a(user_id, payload)
            where a.user_id <> $1 and exists (select 1 from new_master m where m.target_user_id = a.user_id))
        """ + StreamStatement.Tail;
}
