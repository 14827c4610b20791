using Matrix.Storage.Streams;

namespace Matrix.Storage.Accounts;

public sealed partial class AccountStore
{
    /// <remarks>
    /// Nothing at all is written when the user id is taken, or the session ($16) has registered somebody: of two that finish it at once one waits for the
    /// other and finds that. A null device id: no login.
    /// </remarks>
    internal const string SqlRegister =
        """
        with open_session as (
            select 1 from uia_sessions where session_id = $16 and convert_from(request, 'UTF8')::jsonb ->> 'registered_user_id' is null for update),
        new_user as (
            insert into users (user_id, password_hash, created_ts_ms, is_admin, is_guest, appservice_id, user_type, expires_ts_ms, consent_version, consent_ts_ms)
            select $1, $2, $3, $4, $5, $6, $7, $17, $18, case when $18::text is not null then $3::bigint end
            where $16 is null or exists (select 1 from open_session)
            on conflict (user_id) do nothing returning user_id),
        new_profile as (
            insert into profiles (user_id, displayname) select u.user_id, $8::text from new_user u where $8 is not null
            on conflict (user_id) do nothing),
        new_device as (
            insert into devices (user_id, device_id, display_name, created_ts_ms, proved_ts_ms)
            select u.user_id, $9::text, $10::text, $3, case when not $5 then $3 end from new_user u where $9 is not null),
        new_token as (
            insert into access_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms, refresh_hash)
            select $11, u.user_id, $9, $3, $12::bigint, $13 from new_user u where $9 is not null),
        new_refresh as (
            insert into refresh_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms, session_expires_ts_ms)
            select $13, u.user_id, $9, $3, $14::bigint, $15::bigint from new_user u where $9 is not null and $13 is not null),
        uia_done as (
            update uia_sessions set request = convert_to(json_build_object('registered_user_id', u.user_id)::text, 'UTF8')
            from new_user u where session_id = $16),
        token_use as (delete from registration_token_uses t using new_user u where t.session_id = $16 returning t.token),
        token_done as (
            update registration_tokens t set pending = greatest(t.pending - 1, 0), completed = t.completed + 1 from token_use d where t.token = d.token),
        new_addresses as (
            insert into user_threepids (medium, address, user_id, validated_ts_ms, added_ts_ms)
            select a.medium, a.address, u.user_id, a.validated, $3
            from unnest($19::text[], $20::text[], $21::bigint[]) as a(medium, address, validated), new_user u
            on conflict (medium, address) do nothing),
        new_link as (
            insert into user_external_ids (auth_provider, external_id, user_id) select $22::text, $23::text, u.user_id from new_user u where $22 is not null),
        new_joins as (
            insert into auto_joins (user_id, is_first, next_try_ts_ms)
            select u.user_id, not $5 and coalesce($7::text not in ('bot', 'support'), true) and not exists (
                    select 1 from users where not is_guest and appservice_id is null and coalesce(user_type not in ('bot', 'support'), true)),
                case when not $25 then $3 + 60000 end
            from new_user u where $24),
        stream_input as (select 'user_directory'::text as stream, u.user_id as key, ''::bytea as payload from new_user u)
        """ + StreamStatement.Tail;

    internal const string SqlExists = "select exists (select 1 from users where user_id = $1)";

    /// <remarks>The exact id is preferred to the one in lower case.</remarks>
    internal const string SqlFindForLogin =
        """
        select user_id, password_hash, deactivated, locked, expires_ts_ms from users where user_id = $1 or user_id = $2
        order by user_id = $1 desc limit 1
        """;

    /// <remarks>
    /// An existing device keeps its name and loses its older tokens (client-server-api: relationship between access tokens and devices). What was proved
    /// with them goes too: $11 is when who logs in has proved himself, or null.
    /// </remarks>
    internal const string SqlLogIn =
        """
        with old_tokens as (delete from access_tokens where user_id = $1 and device_id = $2 returning token_hash),
        old_refresh as (delete from refresh_tokens where user_id = $1 and device_id = $2),
        old_oauth as (delete from oauth_sessions where user_id = $1 and device_id = $2),
        new_device as (
            insert into devices (user_id, device_id, display_name, created_ts_ms, proved_ts_ms) values ($1, $2, $3, $4, $11::bigint)
            on conflict (user_id, device_id) do nothing returning device_id),
        known_device as (
            update devices set proved_ts_ms = $11 where user_id = $1 and device_id = $2 and proved_ts_ms is distinct from $11),
        new_token as (
            insert into access_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms, refresh_hash)
            values ($6, $1, $2, $4, $7::bigint, $8)),
        new_refresh as (
            insert into refresh_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms, session_expires_ts_ms)
            select $8, $1, $2, $4, $9::bigint, $10::bigint where $8 is not null),
        stream_input as (
            select 'caches'::text as stream, 'token:' || encode(o.token_hash, 'hex') as key, ''::bytea as payload from old_tokens o
            union all select 'device_lists', $1, $5 from new_device)
        """ + StreamStatement.Tail;

    /// <remarks>$3: device id whose tokens survive; null: all go.</remarks>
    internal const string SqlSetPassword =
        """
        with changed as (update users set password_hash = $2 where user_id = $1 returning user_id),
        gone as (
            delete from devices where user_id = $1 and $4 and device_id is distinct from $3 returning device_id),
        gone_tokens as (
            delete from access_tokens where user_id = $1 and $4 and device_id is distinct from $3 returning token_hash),
        gone_refresh as (delete from refresh_tokens where user_id = $1 and $4 and device_id is distinct from $3),
        gone_messages as (delete from to_device_messages where user_id = $1 and $4 and device_id is distinct from $3),
        gone_pushers as (
            delete from pushers where user_id = $1 and $4 and device_id is distinct from $3 returning pushkey),
        stream_input as (
            select 'caches'::text as stream, 'token:' || encode(t.token_hash, 'hex') as key, ''::bytea as payload from gone_tokens t
            union all select 'device_lists', $1, $5 from (select count(*) as n from gone) d where d.n > 0
            union all select 'pushers', $1, ''::bytea from (select count(*) as n from gone_pushers) p where p.n > 0)
        """ + StreamStatement.Tail;

    /// <remarks>Only while the hash is still the one that was verified.</remarks>
    internal const string SqlRehash = "update users set password_hash = $3 where user_id = $1 and password_hash = $2";

    internal const string SqlUpgradeGuest =
        """
        with changed as (
            update users set password_hash = $2, is_guest = false, consent_version = coalesce($6, consent_version),
                consent_ts_ms = case when $6::text is null then consent_ts_ms else $5 end
            where user_id = $1 and is_guest and not deactivated returning user_id),
        new_joins as (
            insert into auto_joins (user_id, is_first, next_try_ts_ms)
            select c.user_id, not exists (select 1 from users where not is_guest and appservice_id is null and coalesce(user_type not in ('bot', 'support'), true)),
                case when not $4 then $5::bigint + 60000 end
            from changed c where $3
            on conflict (user_id) do update set is_first = excluded.is_first, next_try_ts_ms = excluded.next_try_ts_ms, tries = 0),
        stream_input as (select 'caches'::text as stream, 'user:' || c.user_id as key, ''::bytea as payload from changed c)
        """ + StreamStatement.Tail;

    internal const string SqlDeactivate =
        """
        with changed as (update users set deactivated = true, erased = erased or $2, password_hash = null where user_id = $1 returning user_id),
        gone as (delete from devices where user_id = $1 returning device_id),
        gone_tokens as (delete from access_tokens where user_id = $1),
        gone_refresh as (delete from refresh_tokens where user_id = $1),
        gone_addresses as (delete from user_threepids where user_id = $1),
        gone_notices as (delete from server_notice_rooms where user_id = $1),
        gone_joins as (delete from auto_joins where user_id = $1),
        gone_override as (delete from ratelimit_overrides where user_id = $1),
        rooms_to_leave as (
            insert into deactivations (user_id, erase, started_ts_ms, next_try_ts_ms) values ($1, $2, $4::bigint, $4::bigint + 60000)
            on conflict (user_id) do update set erase = deactivations.erase or excluded.erase, next_try_ts_ms = excluded.next_try_ts_ms),
        gone_messages as (delete from to_device_messages where user_id = $1),
        gone_pushers as (delete from pushers where user_id = $1 returning pushkey),
        gone_data as (delete from account_data where user_id = $1),
        gone_filters as (delete from filters where user_id = $1),
        gone_bindings as (delete from threepid_bindings where user_id = $1),
        gone_profile as (delete from profiles where user_id = $1 and $2),
        stream_input as (
            select 'caches'::text as stream, 'user:' || $1 as key, ''::bytea as payload
            union all select 'caches', 'profile:' || $1, ''::bytea where $2
            union all select 'caches', 'erased:' || c.user_id, ''::bytea from changed c where $2
            union all select 'user_directory', $1, ''::bytea
            union all select 'device_lists', $1, $3 from (select count(*) as n from gone) d where d.n > 0
            union all select 'pushers', $1, ''::bytea from (select count(*) as n from gone_pushers) p where p.n > 0)
        """ + StreamStatement.Tail;
}
