using static Matrix.Storage.StoreParameters;

namespace Matrix.Storage.Reports;

/// <summary>A report to be kept. Which ids are set says what is reported.</summary>
/// <param name="Body">JSON object as the client sent it.</param>
public sealed record NewReport(string Reporter, string? RoomId, string? EventId, string? TargetUser, string? Reason, int? Score, ReadOnlyMemory<byte> Body)
{
    internal string Kind => EventId is not null ? "event" : RoomId is not null ? "room" : "user";
}

/// <summary>Reports of events, rooms and users. Written by ClientApi, read by the admin API.</summary>
public sealed class ReportStore(Database database)
{
    internal const string SqlAdd =
        """
        insert into reports (kind, received_ts_ms, reporter, room_id, event_id, target_user, reason, score, body)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning report_id
        """;

    public async Task<long> AddAsync(NewReport report, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAdd);
        command.Parameters.AddWithValue(report.Kind);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(report.Reporter);
        command.Parameters.Add(Text(report.RoomId));
        command.Parameters.Add(Text(report.EventId));
        command.Parameters.Add(Text(report.TargetUser));
        command.Parameters.Add(Text(report.Reason));
        command.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Integer, (object?)report.Score ?? DBNull.Value);
        command.Parameters.AddWithValue(report.Body);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }
}
