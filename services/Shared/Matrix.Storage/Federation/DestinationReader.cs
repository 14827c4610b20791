namespace Matrix.Storage.Federation;

/// <summary>Which other servers take part in rooms.</summary>
public sealed class DestinationReader(Database database)
{
    internal const string SqlServers =
        """
        select distinct room_nid, substr(user_id, strpos(user_id, ':') + 1) as server from room_memberships
        where room_nid = any($1) and membership = 'join' and substr(user_id, strpos(user_id, ':') + 1) <> $2
        """;

    /// <summary>Servers with joined members, this one left out; rooms without any are omitted.</summary>
    public async Task<Dictionary<long, List<string>>> RemoteServersAsync(IReadOnlyCollection<long> roomNids, string ownServer, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlServers);
        command.Parameters.AddWithValue(roomNids.ToArray());
        command.Parameters.AddWithValue(ownServer);
        var servers = new Dictionary<long, List<string>>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            if (!servers.TryGetValue(r.GetInt64(0), out var list)) servers[r.GetInt64(0)] = list = [];
            list.Add(r.GetString(1));
        }
        return servers;
    }
}
