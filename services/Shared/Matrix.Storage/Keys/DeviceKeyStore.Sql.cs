using Matrix.Storage.Streams;

namespace Matrix.Storage.Keys;

public sealed partial class DeviceKeyStore
{
    /// <remarks>
    /// Uploads of a device come one after the other. A statement of its own: what follows in the batch then sees what the one before has written.
    /// </remarks>
    internal const string SqlLock = "select device_id from devices where user_id = $1 and device_id = $2 for no key update";

    /// <summary>Given-away keys are remembered for so long: until nobody repeats the request that uploaded them.</summary>
    internal const string SqlForgetClaimed = "delete from one_time_keys where user_id = $1 and device_id = $2 and claimed_ts_ms < $3";

    private const string Given =
        "with given as (select * from unnest($3::text[], $4::text[], $5::bytea[]) with ordinality as i(algorithm, key_id, key, n)), ";
    private const string Replaced =
        """
        replaced as (
            select i.algorithm, i.key_id from given i
            join one_time_keys o on o.user_id = $1 and o.device_id = $2 and o.algorithm = i.algorithm and o.key_id = i.key_id
            where o.claimed_ts_ms is null and o.key <> i.key),
        held as (select count(*) as n from one_time_keys where user_id = $1 and device_id = $2 and claimed_ts_ms is null)
        """;

    /// <summary>How many keys there are, and those that would be replaced.</summary>
    internal const string SqlCheck = Given + Replaced + " select h.n, r.algorithm, r.key_id from held h left join replaced r on true";

    /// <remarks>
    /// $6, $7 device keys and the hash of what is signed, null: none; $8 to $10 fallback keys; $11 most keys a device may have; $12, $13 payloads of
    /// rows. Nothing is written where <see cref="SqlCheck"/> finds fault, or without the device.
    /// </remarks>
    internal const string SqlUpload = Given + Replaced +
        """
        , allowed as (
            select d.user_id, d.device_id from devices d, held h
            where d.user_id = $1 and d.device_id = $2 and not exists (select 1 from replaced) and h.n + (select count(*) from given) <= $11),
        new_device as (
            insert into device_keys (user_id, device_id, keys, signed_hash)
            select a.user_id, a.device_id, $6, $7 from allowed a where $6::bytea is not null
            on conflict (user_id, device_id) do update set keys = excluded.keys, signed_hash = excluded.signed_hash
            where device_keys.keys <> excluded.keys returning device_id),
        new_keys as (
            insert into one_time_keys (user_id, device_id, algorithm, key_id, key)
            select a.user_id, a.device_id, i.algorithm, i.key_id, i.key from allowed a, given i order by i.n
            on conflict (user_id, device_id, algorithm, key_id) do update set key = excluded.key, claimed_ts_ms = null, added = default
            where one_time_keys.claimed_ts_ms is not null and one_time_keys.key <> excluded.key returning key_id),
        new_fallback as (
            insert into fallback_keys (user_id, device_id, algorithm, key_id, key)
            select a.user_id, a.device_id, f.algorithm, f.key_id, f.key
            from allowed a, unnest($8::text[], $9::text[], $10::bytea[]) as f(algorithm, key_id, key)
            on conflict (user_id, device_id, algorithm) do update set key_id = excluded.key_id, key = excluded.key, used = false
            where (fallback_keys.key_id, fallback_keys.key) <> (excluded.key_id, excluded.key) returning key_id),
        stream_input as (
            select 'device_lists'::text as stream, $1 as key, $12::bytea as payload from new_device
            union all select 'to_device', $1, $13 where exists (select 1 from new_keys) or exists (select 1 from new_fallback))
        """ + StreamStatement.Tail;

    internal const string SqlCounts =
        """
        select algorithm, count(*) from one_time_keys
        where user_id = $1 and device_id = $2 and claimed_ts_ms is null group by algorithm order by algorithm
        """;
    internal const string SqlUnusedFallback = "select algorithm from fallback_keys where user_id = $1 and device_id = $2 and not used order by algorithm";

    /// <summary>
    /// One statement for any number of devices. A key that another claim has in its hands at this moment is passed over, never waited for, never given
    /// twice; without any key left the fallback key is given and marked. All rows share one position.
    /// </summary>
    internal const string SqlClaim =
        """
        with wanted as (
            select i.user_id, i.device_id, i.algorithm from unnest($1::text[], $2::text[], $3::text[]) as i(user_id, device_id, algorithm)),
        picked as materialized (
            select k.user_id, k.device_id, k.algorithm, k.key_id from wanted w cross join lateral (
                select o.user_id, o.device_id, o.algorithm, o.key_id from one_time_keys o
                where o.user_id = w.user_id and o.device_id = w.device_id and o.algorithm = w.algorithm and o.claimed_ts_ms is null
                order by o.added limit 1 for update skip locked) k),
        taken as (
            update one_time_keys o set claimed_ts_ms = $4 from picked p
            where o.user_id = p.user_id and o.device_id = p.device_id and o.algorithm = p.algorithm and o.key_id = p.key_id
            returning o.user_id, o.device_id, o.algorithm, o.key_id, o.key),
        fallen as (
            select f.user_id, f.device_id, f.algorithm, f.key_id, f.key from wanted w
            join fallback_keys f on f.user_id = w.user_id and f.device_id = w.device_id and f.algorithm = w.algorithm
            where not exists (
                select 1 from picked p where p.user_id = w.user_id and p.device_id = w.device_id and p.algorithm = w.algorithm)),
        marked as (
            update fallback_keys f set used = true from fallen n
            where f.user_id = n.user_id and f.device_id = n.device_id and f.algorithm = n.algorithm and not f.used returning f.user_id, f.device_id),
        changed as (
            select c.user_id, c.device_id, row_number() over () as n
            from (select user_id, device_id from taken union select user_id, device_id from marked) c),
        counter as (
            update stream_counters set pos = pos + 1 where stream = 'to_device' and exists (select 1 from changed) returning pos),
        log as (
            insert into stream_rows (stream, pos, ord, key, payload)
            select 'to_device', c.pos, h.n::smallint, h.user_id,
                convert_to(json_build_object('device_id', h.device_id, 'keys', true)::text, 'UTF8') from changed h, counter c
            returning pos, key, payload)
        select user_id, device_id, algorithm, key_id, key, null::bigint as pos from taken
        union all select user_id, device_id, algorithm, key_id, key, null from fallen
        union all select key, null, null, null, payload, pos from log
        """;

    /// <remarks>$2 is null where all devices of the user are asked for.</remarks>
    internal const string SqlDevices =
        """
        select k.user_id, k.device_id, k.keys, d.display_name, s.key_ids, s.signatures
        from unnest($1::text[], $2::text[]) as q(user_id, device_id)
        join device_keys k on k.user_id = q.user_id and (q.device_id is null or k.device_id = q.device_id)
        join devices d on d.user_id = k.user_id and d.device_id = k.device_id
        left join lateral (
            select array_agg(x.signer_key_id) as key_ids, array_agg(x.signature) as signatures from device_key_signatures x
            where x.user_id = k.user_id and x.device_id = k.device_id and x.signed_hash = k.signed_hash) s on true
        """;

    /// <remarks>Of changes whose rows are no longer kept it is known only that none was later than the last one that went.</remarks>
    internal const string SqlDeviceListVersion =
        """
        select greatest(
            (select max(pos) from stream_rows where stream = 'device_lists' and key = $1),
            (select min_pos from stream_retained where stream = 'device_lists'), 0)
        """;

    /// <remarks>$2: who asks; his user-signing key is for himself alone.</remarks>
    internal const string SqlCrossSigning =
        "select user_id, usage, public_key, keys from cross_signing_keys where user_id = any($1) and (usage <> 'user_signing' or user_id = $2)";

    /// <remarks>$2: who asks. He sees his own signatures, and those of users' own devices; never what others have signed of others.</remarks>
    internal const string SqlMasterSignatures =
        """
        select target_user_id, target_key, signer_user_id, signer_key_id, signature from master_key_signatures
        where target_user_id = any($1) and (signer_user_id = target_user_id or signer_user_id = $2)
        """;
}
