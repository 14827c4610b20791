using System.Text.Json;
using Npgsql;

namespace Matrix.Storage.Sync;

// Who came into rooms, and left them.
public sealed partial class SyncReader
{
    /// <summary>
    /// The user's memberships of those rooms with positions after <paramref name="after"/>, and the one before them of each room; ascending by
    /// room and position.
    /// </summary>
    public async Task<List<MembershipStep>> MembershipHistoryAsync(string userId, IReadOnlyCollection<long> roomNids, long after, CancellationToken ct)
    {
        var steps = new List<MembershipStep>();
        if (roomNids.Count == 0) return steps;
        await using var command = Command(SqlMembershipHistory, userId, roomNids as long[] ?? [.. roomNids], after);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) steps.Add(new(r.GetInt64(0), r.GetInt64(1), MembershipOf(r.GetFieldValue<byte[]>(2)), r.GetInt64(3)));
        return steps;
    }

    /// <summary>Who came into those rooms or left them at positions in (after, upTo], ascending: as the rows of stream events tell it.</summary>
    public async Task<List<MemberTurn>> MemberTurnsAsync(IReadOnlyCollection<long> roomNids, long after, long upTo, CancellationToken ct)
    {
        var turns = new List<MemberTurn>();
        if (roomNids.Count == 0) return turns;
        await using var command = Command(SqlMemberTurns, roomNids as long[] ?? [.. roomNids], after, upTo);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var isJoined = IsJoin(r, 4);
            // With forks resolved anew, what was before is not looked at.
            if (r.GetBoolean(3) || isJoined != IsJoin(r, 5)) turns.Add(new(r.GetInt64(0), r.GetInt64(1), r.GetString(2), isJoined));
        }
        return turns;
    }

    /// <summary>Those of the member events that are of somebody joined.</summary>
    public async Task<HashSet<long>> JoinsAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct)
    {
        var joins = new HashSet<long>();
        if (eventNids.Count == 0) return joins;
        await using var command = Command(SqlMembershipsOf, [eventNids as long[] ?? [.. eventNids]]);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) if (IsJoin(r, 1)) joins.Add(r.GetInt64(0));
        return joins;
    }

    private static bool IsJoin(NpgsqlDataReader r, int column) => !r.IsDBNull(column) && MembershipOf(r.GetFieldValue<byte[]>(column)) == "join";

    private static string MembershipOf(ReadOnlySpan<byte> pdu)
    {
        var reader = new Utf8JsonReader(pdu);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName) continue;
            var depth = reader.CurrentDepth;
            var content = depth == 1 && reader.ValueTextEquals("content"u8);
            var membership = depth == 2 && reader.ValueTextEquals("membership"u8);
            reader.Read();
            if (membership) return reader.TokenType == JsonTokenType.String ? reader.GetString()! : "leave";
            if (!content) reader.Skip();
        }
        return "leave";
    }
}
