using Matrix.Storage.Streams;

namespace Matrix.Storage.Pushers;

/// <summary>A pusher as its user set it. <c>Data</c> is a JSON object.</summary>
public sealed record PusherRecord(
    string AppId, string Pushkey, string Kind, string AppDisplayName, string DeviceDisplayName, string? ProfileTag, string Lang, byte[] Data,
    string? DeviceId, bool Enabled);

/// <summary>Pushers of users.</summary>
public sealed class PusherSettingsStore(Database database)
{
    internal const string SqlList =
        """
        select app_id, pushkey, kind, app_display_name, device_display_name, profile_tag, lang, data, device_id, enabled
        from pushers where user_id = $1 order by created_ts_ms, app_id, pushkey
        """;

    /// <remarks>
    /// Without <c>append</c> ($12) the same app and key of other users is removed: the device has changed hands. A new pusher begins at the present.
    /// </remarks>
    internal const string SqlSet =
        """
        with others as (
            delete from pushers where app_id = $2 and pushkey = $3 and user_id <> $1 and not $12 returning user_id),
        written as (
            insert into pushers (user_id, app_id, pushkey, kind, app_display_name, device_display_name, profile_tag, lang, data, device_id,
                enabled, created_ts_ms, last_pos)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, true, $11, (select pos from stream_counters where stream = 'events'))
            on conflict (app_id, pushkey, user_id) do update set kind = excluded.kind, app_display_name = excluded.app_display_name,
                device_display_name = excluded.device_display_name, profile_tag = excluded.profile_tag, lang = excluded.lang, data = excluded.data,
                device_id = excluded.device_id, enabled = true
            returning user_id),
        stream_input as (
            select 'pushers'::text as stream, w.user_id as key, ''::bytea as payload from written w union all select 'pushers', o.user_id, ''::bytea from others o)
        """ + StreamStatement.Tail;

    internal const string SqlDelete =
        """
        with gone as (delete from pushers where user_id = $1 and app_id = $2 and pushkey = $3 returning user_id),
        stream_input as (select 'pushers'::text as stream, g.user_id as key, ''::bytea as payload from gone g)
        """ + StreamStatement.Tail;

    public async Task<List<PusherRecord>> ListAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlList);
        command.Parameters.AddWithValue(userId);
        var pushers = new List<PusherRecord>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            pushers.Add(new(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), r.IsDBNull(5) ? null : r.GetString(5),
                r.GetString(6), r.GetFieldValue<byte[]>(7), r.IsDBNull(8) ? null : r.GetString(8), r.GetBoolean(9)));
        return pushers;
    }

    /// <param name="append">Whether other users keep their pusher of the same app and key.</param>
    public async Task<IReadOnlyList<StreamBatch>> SetAsync(string userId, PusherRecord pusher, bool append, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSet);
        var p = command.Parameters;
        p.AddWithValue(userId);
        p.AddWithValue(pusher.AppId);
        p.AddWithValue(pusher.Pushkey);
        p.AddWithValue(pusher.Kind);
        p.AddWithValue(pusher.AppDisplayName);
        p.AddWithValue(pusher.DeviceDisplayName);
        p.Add(StoreParameters.Text(pusher.ProfileTag));
        p.AddWithValue(pusher.Lang);
        p.AddWithValue(pusher.Data);
        p.Add(StoreParameters.Text(pusher.DeviceId));
        p.AddWithValue(nowMs);
        p.AddWithValue(append);
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }

    public async Task<IReadOnlyList<StreamBatch>> DeleteAsync(string userId, string appId, string pushkey, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDelete);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(appId);
        command.Parameters.AddWithValue(pushkey);
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }
}
