using System.Collections.Concurrent;
using Matrix.Events;
using Npgsql;
using NpgsqlTypes;

namespace Matrix.Storage.Rooms;

/// <summary>Pairs of type and state key as ints. Rows are never changed or removed, so what is cached stays true; absence is not cached.</summary>
public sealed class StateKeys(Database database)
{
    private const int MaxEntries = 500_000;

    internal const string SqlFind =
        "select q.ord, k.state_key_nid from unnest($1::text[], $2::text[]) with ordinality as q(type, state_key, ord) join state_keys k on k.type = q.type and k.state_key = q.state_key";
    /// <remarks>Sorted, so that two writers with the same new keys do not wait for each other crosswise.</remarks>
    internal const string SqlAdd =
        "insert into state_keys (type, state_key) select distinct type, state_key from unnest($1::text[], $2::text[]) as q(type, state_key) order by 1, 2 on conflict do nothing";
    // A key that an event's transaction refers to was written before it in the log: whoever finds that transaction finds the key.
    internal const string SqlNoFlush = "select set_config('synchronous_commit', 'off', true)";

    private readonly ConcurrentDictionary<StateKey, long> cache = new();

    public bool TryGet(StateKey key, out long nid) => cache.TryGetValue(key, out nid);

    /// <summary>Nids of those keys in their order; 0 where a key has never been used in any room.</summary>
    public ValueTask<long[]> FindAsync(IReadOnlyList<StateKey> keys, CancellationToken ct) => GetAsync(keys, add: false, ct);

    /// <summary>Nids of those keys in their order; new ones are stored at once, outside any transaction.</summary>
    public ValueTask<long[]> GetOrAddAsync(IReadOnlyList<StateKey> keys, CancellationToken ct) => GetAsync(keys, add: true, ct);

    private async ValueTask<long[]> GetAsync(IReadOnlyList<StateKey> keys, bool add, CancellationToken ct)
    {
        var nids = new long[keys.Count];
        List<int>? missing = null;
        for (var i = 0; i < nids.Length; i++) if (!cache.TryGetValue(keys[i], out nids[i])) (missing ??= []).Add(i);
        if (missing is null) return nids;

        var types = new string[missing.Count];
        var stateKeys = new string[missing.Count];
        for (var i = 0; i < types.Length; i++) (types[i], stateKeys[i]) = (keys[missing[i]].Type, keys[missing[i]].Key);
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var batch = new NpgsqlBatch(connection);
        if (add)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlNoFlush));
            batch.BatchCommands.Add(Command(SqlAdd, types, stateKeys));
        }
        batch.BatchCommands.Add(Command(SqlFind, types, stateKeys));
        await using var r = await batch.ExecuteReaderAsync(ct);
        // The answer of set_config comes first; the insert has none.
        if (add) await r.NextResultAsync(ct);
        if (cache.Count > MaxEntries) cache.Clear();
        while (await r.ReadAsync(ct))
        {
            var i = missing[(int)r.GetInt64(0) - 1];
            cache[keys[i]] = nids[i] = r.GetInt64(1);
        }
        return nids;
    }

    private static NpgsqlBatchCommand Command(string sql, string[] types, string[] keys) => new(sql)
    {
        Parameters =
        {
            new NpgsqlParameter<string[]> { TypedValue = types, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
            new NpgsqlParameter<string[]> { TypedValue = keys, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
        },
    };
}
