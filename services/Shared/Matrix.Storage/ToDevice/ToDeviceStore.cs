using Matrix.Replication;
using Matrix.Storage.Streams;

namespace Matrix.Storage.ToDevice;

/// <param name="DeviceId"><c>*</c>: every device of the user.</param>
public readonly record struct ToDeviceMessage(string UserId, string DeviceId, byte[] Content);

/// <summary>Messages to devices, kept until the device acknowledges them with its next <c>since</c>.</summary>
public sealed class ToDeviceStore(Database database)
{
    /// <summary>Messages that share a position in the stream.</summary>
    internal const int PerPosition = 10_000;

    /// <remarks>
    /// A transaction that was seen before finds no row of <c>txn</c> and writes nothing. Devices that do not exist are left out; those that do
    /// stay until this is committed: without the lock one that goes at the same time would make all of it fail.
    /// </remarks>
    internal const string SqlSend =
        """
        with txn as (
            insert into client_txns (user_id, device_id, scope, txn_id, created_ts_ms) values ($1, $2, 'to_device', $3, $4)
            on conflict do nothing returning txn_id),
        locked as materialized (
            select d.user_id, d.device_id, i.content
            from unnest($6::text[], $7::text[], $8::bytea[]) as i(user_id, device_id, content)
            join devices d on d.user_id = i.user_id and (i.device_id = '*' or d.device_id = i.device_id)
            where exists (select 1 from txn) order by d.user_id, d.device_id for key share of d),
        targets as (select user_id, device_id, content, (row_number() over () - 1) as n from locked),
        amount as (select (count(*) + 9999) / 10000 as positions from targets),
        counter as (
            update stream_counters c set pos = c.pos + a.positions from amount a
            where c.stream = 'to_device' and a.positions > 0 returning c.pos - a.positions + 1 as first),
        placed as (
            select t.user_id, t.device_id, t.content, c.first + t.n / 10000 as pos, (t.n % 10000)::int as ord from targets t, counter c),
        written as (
            insert into to_device_messages (user_id, device_id, pos, ord, sender, type, content)
            select p.user_id, p.device_id, p.pos, p.ord, $1, $5, p.content from placed p),
        log as (
            insert into stream_rows (stream, pos, ord, key, payload)
            select 'to_device', p.pos, p.ord::smallint, p.user_id, convert_to(json_build_object('device_id', p.device_id)::text, 'UTF8') from placed p
            returning pos, ord, key, payload)
        select pos, key, payload from log order by pos, ord
        """;

    /// <summary>Queues the messages, once for a transaction of the sending device.</summary>
    public async Task<IReadOnlyList<StreamBatch>> SendAsync(
        string sender, string senderDevice, string txnId, string type, IReadOnlyList<ToDeviceMessage> messages, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSend);
        command.Parameters.AddWithValue(sender);
        command.Parameters.AddWithValue(senderDevice);
        command.Parameters.AddWithValue(txnId);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(type);
        command.Parameters.AddWithValue(messages.Select(m => m.UserId).ToArray());
        command.Parameters.AddWithValue(messages.Select(m => m.DeviceId).ToArray());
        command.Parameters.AddWithValue(messages.Select(m => m.Content).ToArray());
        var rows = new List<StreamRow>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) rows.Add(new StreamRow(r.GetInt64(0), r.GetString(1), r.GetFieldValue<byte[]>(2)));
        return rows.Count == 0 ? [] : [new StreamBatch(Replication.Streams.ToDevice, rows[0].Position - 1, rows[^1].Position, rows)];
    }
}
