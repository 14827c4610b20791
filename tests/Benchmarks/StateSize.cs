using System.Globalization;
using System.Text;
using Matrix.Events;
using Matrix.Storage.Rooms;
using Matrix.Testing;
using Matrix.Testing.Servers;
using Npgsql;
using NpgsqlTypes;

namespace Matrix.Benchmarks;

/// <summary>
/// <c>state-size</c>: what the state of rooms takes in PostgreSQL, against the distinct state events themselves. Members join and leave, power levels
/// change, now and then a branch of a few events is resolved. Needs ARMADA_TEST_PG.
/// </summary>
internal static class StateSize
{
    /// <summary>Synapse writes the whole state again after so many differences.</summary>
    private const int SynapseFullEvery = 100;
    private const int ForkEvery = 1_000, ForkLength = 5;

    public static async Task RunAsync()
    {
        Console.WriteLine("| state changes | users | state events | state in the database | ratio | snapshot rows | most rows a snapshot | Synapse's rows |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (var changes in new[] { 1_000, 10_000, 100_000 }) await RunAsync(changes);
    }

    private static async Task RunAsync(int changes)
    {
        var postgres = new PostgresFixture();
        await postgres.InitializeAsync();
        var random = new Random(1);
        var users = changes / 2;
        var member = Member();
        var map = new Dictionary<long, long>();
        var tip = new Dictionary<long, long>();
        var chain = SnapshotChain.Empty();
        var rows = new List<SnapshotRow>();
        long eventBytes = 0, nid = 0, synapse = 0;
        for (var i = 0; i < changes; i++)
        {
            // Nids come in blocks to several writers and other rooms have theirs between.
            nid += 1 + random.Next(40);
            var isMember = random.Next(100) < 97;
            var key = isMember ? 100 + random.Next(users) : 1 + random.Next(20);
            eventBytes += isMember ? member : 600;
            if (i > 0 && i % ForkEvery == 0)
            {
                // A branch: its states follow in the chain, and the current one after them.
                for (var f = 0; f < ForkLength; f++) Append(100 + random.Next(users), ++nid);
                var back = map.Where(p => tip.GetValueOrDefault(p.Key) != p.Value).Concat(tip.Keys.Where(k => !map.ContainsKey(k)).Select(k => new KeyValuePair<long, long>(k, 0))).ToArray();
                rows.Add(chain.Append(rows.Count + 1, 1, back));
                tip = new Dictionary<long, long>(map);
            }
            map[key] = nid;
            synapse += i % SynapseFullEvery == 0 ? map.Count : 1;
            Append(key, nid);
        }

        void Append(long key, long value)
        {
            rows.Add(chain.Append(rows.Count + 1, 1, [new KeyValuePair<long, long>(key, value)]));
            tip[key] = value;
        }

        await using (var connection = await postgres.Source.OpenConnectionAsync())
        {
            await using (var copy = await connection.BeginBinaryImportAsync("copy state_snapshots (snapshot_nid, room_nid, chain, number, delta) from stdin (format binary)"))
            {
                foreach (var row in rows)
                {
                    await copy.StartRowAsync();
                    await copy.WriteAsync(row.SnapshotNid, NpgsqlDbType.Bigint);
                    await copy.WriteAsync(row.RoomNid, NpgsqlDbType.Bigint);
                    await copy.WriteAsync(row.Chain, NpgsqlDbType.Bigint);
                    await copy.WriteAsync(row.Number, NpgsqlDbType.Integer);
                    await copy.WriteAsync(row.Delta, NpgsqlDbType.Bytea);
                }
                await copy.CompleteAsync();
            }
            await using var current = new NpgsqlCommand("insert into current_state select 1, k, v from unnest($1, $2) as u(k, v)", connection);
            current.Parameters.AddWithValue(map.Keys.ToArray());
            current.Parameters.AddWithValue(map.Values.ToArray());
            await current.ExecuteNonQueryAsync();
        }
        await using var size = postgres.Source.CreateCommand("select pg_total_relation_size('state_snapshots') + pg_total_relation_size('current_state')");
        var bytes = (long)(await size.ExecuteScalarAsync())!;
        var most = Enumerable.Range(0, rows.Count).Max(n => StateDelta.Path(n).Length);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {changes:N0} | {users:N0} | {eventBytes / 1e6:N1} MB | {bytes / 1e6:N1} MB | {(double)bytes / eventBytes:N2} | {rows.Count:N0} | {most} | {synapse:N0} |"));
        await postgres.DisposeAsync();
    }

    /// <summary>Bytes of a usual member event: with a name and a picture.</summary>
    private static int Member()
    {
        var user = TestUser.Of("@somebody_of_usual_length:matrix.example");
        var room = Room.Version("12").Public().With(TestUser.Of("alice"), user);
        room.Set(user, EventTypes.Member, """{"avatar_url":"mxc://matrix.example/DvTxTjyMUcNcpkdIzrQXdIPp","displayname":"Somebody of usual length","membership":"join"}""", user);
        return Encoding.UTF8.GetByteCount(Encoding.UTF8.GetString(room.Last.Json.Span));
    }
}
