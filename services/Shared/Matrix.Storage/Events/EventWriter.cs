using System.Globalization;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace Matrix.Storage.Events;

/// <summary>
/// Writes what rooms have ready in one transaction, which is one round trip: the statements go out together without a BEGIN, so PostgreSQL runs
/// them as one transaction that commits at the end. Keeps its connection. One caller at a time.
/// </summary>
public sealed partial class EventWriter(Database database, TimeProvider clock) : IAsyncDisposable
{
    /// <summary>How long a database that has just gone is waited for: a restart should cost clients time, not an error.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);

    private readonly Columns columns = new();
    private NpgsqlConnection? connection;
    /// <summary>Waited for in vain: until something succeeds, one try each is enough.</summary>
    private bool away;

    /// <summary>
    /// Commits all or nothing, once: when the connection dies in between, the database is asked whether the events are there, and the same ones are
    /// written again if not. Throws <see cref="NpgsqlException"/> when it stays away (it is then not known what became of them) or refused for
    /// another reason than those of <see cref="CommitKind"/>.
    /// </summary>
    public async Task<CommitResult> CommitAsync(IReadOnlyList<RoomCommit> rooms, CancellationToken ct)
    {
        columns.Clear();
        foreach (var room in rooms) columns.Add(room);
        var began = clock.GetTimestamp();
        var pause = FirstPause;
        for (var uncertain = false; ; uncertain = true, pause *= 2)
        {
            try
            {
                if (uncertain && await PositionIfThereAsync(ct) is { } there) return Committed(there);
                var result = await TryCommitAsync(rooms, ct);
                away = false;
                // The lost transaction may have come to its end meanwhile: then it was it that moved the heads.
                if (uncertain && result.Kind != CommitKind.Committed && await PositionIfThereAsync(ct) is { } late) return Committed(late);
                return result;
            }
            catch (NpgsqlException e) when (DatabaseFaults.IsTransient(e) && !away)
            {
                if (away = clock.GetElapsedTime(began) > Patience) throw;
                await Task.Delay(pause, clock, ct);
            }
        }
    }

    private static CommitResult Committed(long to) => new(CommitKind.Committed, to);

    /// <summary>Position of the last event if the transaction has happened; null: it has not.</summary>
    private async Task<long?> PositionIfThereAsync(CancellationToken ct)
    {
        var inStream = columns.StreamNids.Count > 0;
        await using var command = database.Source.CreateCommand(inStream ? SqlPositionOf : SqlIsThere);
        command.Parameters.AddWithValue(inStream ? columns.StreamNids[^1] : columns.Nids[^1]);
        if (!inStream) command.Parameters.AddWithValue(columns.Known[^1]);
        return (long?)await command.ExecuteScalarAsync(ct);
    }

    private async Task<CommitResult> TryCommitAsync(IReadOnlyList<RoomCommit> rooms, CancellationToken ct)
    {
        try
        {
            var open = connection ??= await database.Source.OpenConnectionAsync(ct);
            return Committed(await ExecuteAsync(open, rooms.Count, ct));
        }
        catch (PostgresException e) when (e.SqlState == DivisionByZero)
        {
            return new CommitResult(CommitKind.HeadMoved, Moved: await MovedAsync(rooms, ct));
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation && e.ConstraintName == TransactionsConstraint)
        {
            return new CommitResult(CommitKind.TransactionKnown, Known: await KnownAsync(rooms, ct));
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation && e.ConstraintName == AliasConstraint)
        {
            return new CommitResult(CommitKind.AliasTaken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation && e.ConstraintName == RoomConstraint)
        {
            return new CommitResult(CommitKind.RoomTaken);
        }
        catch (Exception)
        {
            await DropConnectionAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync() => await DropConnectionAsync();

    private async ValueTask DropConnectionAsync()
    {
        if (connection is not { } old) return;
        connection = null;
        await old.DisposeAsync();
    }

    private async Task<long> ExecuteAsync(NpgsqlConnection open, int rooms, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(open);
        var c = columns;
        if (c.NewRoomNids.Count > 0) Add(batch, SqlNewRooms, Longs(c.NewRoomNids), Texts(c.NewRoomIds), Texts(c.NewVersions), Longs(c.NewCreated), Bools(c.NewPublic));
        if (rooms > 1) Add(batch, SqlLock, Longs(c.RoomNids));
        Add(batch, SqlMoveHeads, Longs(c.RoomNids), Longs(c.Heads), Longs(c.Counts), NullableLongs(c.RoomSnapshots));
        Add(batch, c.AnyKnown ? SqlMixedEvents : SqlEvents, Longs(c.Nids), Texts(c.Ids), Longs(c.Rooms), Texts(c.Types), NullableLongs(c.StateKeys),
            Texts(c.Senders), Longs(c.Depths), Longs(c.Timestamps), Longs(c.Received), Shorts(c.Flags), NullableLongs(c.Snapshots), NullableLongs(c.Replaces),
            Texts(c.Prev), Texts(c.Auth), Texts(c.Redacts), Blobs(c.Json));
        if (c.AnyKnown) batch.BatchCommands[^1].Parameters.Add(Bools(c.Known));
        if (c.FullNids.Count > 0) Add(batch, SqlFilled, Longs(c.FullNids), Texts(c.FullIds), Longs(c.FullRooms));
        if (c.MissingIds.Count > 0) Add(batch, SqlMissing, Longs(c.ChildRooms), Longs(c.ChildNids), Texts(c.MissingIds));
        if (c.PastNids.Count > 0) Add(batch, SqlPast, Longs(c.PastRooms), Longs(c.PastNids));
        if (c.MoveEvents.Count > 0) Add(batch, SqlMoves, Longs(c.MoveEvents), Longs(c.MoveKeys), Longs(c.MovesBefore), Longs(c.MovesNow));
        if (c.GoneMemberUsers.Count > 0) Add(batch, SqlMembershipsGone, Longs(c.GoneMemberRooms), Texts(c.GoneMemberUsers));
        if (c.TxnIds.Count > 0)
            Add(batch, SqlTransactions, Texts(c.TxnUsers), Texts(c.TxnDevices), Texts(c.TxnIds), Texts(c.TxnEvents), Texts(c.TxnRooms), Longs(c.TxnCreated));
        if (c.SnapshotNids.Count > 0)
            Add(batch, SqlSnapshots, Longs(c.SnapshotNids), Longs(c.SnapshotRooms), Longs(c.Chains), Ints(c.Numbers), Blobs(c.Deltas));
        if (c.StateRooms.Count > 0) Add(batch, SqlCurrentState, Longs(c.StateRooms), Longs(c.StateKeyNids), Longs(c.StateEvents));
        Add(batch, SqlExtremities, Longs(c.GoneRooms), Longs(c.GoneNids), Longs(c.TipRooms), Longs(c.TipNids));
        if (c.RedactedNids.Count > 0)
        {
            Add(batch, SqlRedact, Longs(c.RedactedNids), Blobs(c.RedactedJson));
            Add(batch, SqlUnrelate, Longs(c.RedactedNids));
        }
        if (c.RedactedIds.Count > 0) Add(batch, SqlRedactions, Texts(c.RedactedIds), Texts(c.RedactedBy), Longs(c.RedactedRooms));
        if (c.Aliases.Count > 0) Add(batch, SqlAliases, Texts(c.Aliases), Texts(c.AliasRooms), Texts(c.AliasCreators), Longs(c.AliasCreated));
        if (c.MemberRooms.Count > 0)
            Add(batch, SqlPositionsAndMemberships, Longs(c.StreamRooms), Longs(c.StreamNids), Texts(c.ReadRoots), Longs(c.ReadRooms), Texts(c.Readers),
                Texts(c.ReadThreads), Longs(c.ReadPlaces), Longs(c.MemberRooms), Texts(c.MemberUsers), Texts(c.Memberships), Longs(c.MemberEvents),
                Texts(c.MemberSenders), Longs(c.MemberPlaces));
        else if (c.StreamNids.Count > 0)
            Add(batch, SqlPositions, Longs(c.StreamRooms), Longs(c.StreamNids), Texts(c.ReadRoots), Longs(c.ReadRooms), Texts(c.Readers), Texts(c.ReadThreads),
                Longs(c.ReadPlaces));
        if (c.RelatingNids.Count > 0)
            Add(batch, SqlRelations, Longs(c.RelatingNids), Longs(c.RelatingRooms), Texts(c.Parents), Texts(c.RelationTypes), Texts(c.RelatingTypes),
                Texts(c.RelatingSenders), Texts(c.RelationKeys), Bools(c.CanReplace));
        await batch.PrepareAsync(ct);

        // Once it is on its way it is not taken back: its outcome must become known.
        await using var r = await batch.ExecuteReaderAsync(CancellationToken.None);
        long to = 0;
        do
        {
            // Only the statement of positions answers with a bigint; the others answer nothing or 1.
            while (await r.ReadAsync(CancellationToken.None)) to = r.GetFieldType(0) == typeof(long) ? r.GetInt64(0) : to;
        }
        while (await r.NextResultAsync(CancellationToken.None));
        return to;
    }

    private static void Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var p in parameters) command.Parameters.Add(p);
        batch.BatchCommands.Add(command);
    }

    private static NpgsqlParameter<List<T>> Array<T>(List<T> values, NpgsqlDbType type) => new() { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | type };
    private static NpgsqlParameter Longs(List<long> values) => Array(values, NpgsqlDbType.Bigint);
    private static NpgsqlParameter NullableLongs(List<long?> values) => Array(values, NpgsqlDbType.Bigint);
    private static NpgsqlParameter Ints(List<int> values) => Array(values, NpgsqlDbType.Integer);
    private static NpgsqlParameter Shorts(List<short> values) => Array(values, NpgsqlDbType.Smallint);
    private static NpgsqlParameter Bools(List<bool> values) => Array(values, NpgsqlDbType.Boolean);
    private static NpgsqlParameter Texts(List<string?> values) => Array(values, NpgsqlDbType.Text);
    private static NpgsqlParameter Blobs(List<byte[]> values) => Array(values, NpgsqlDbType.Bytea);

    private async Task<IReadOnlySet<long>> MovedAsync(IReadOnlyList<RoomCommit> rooms, CancellationToken ct)
    {
        var heads = await HeadsAsync(database, [.. rooms.Select(r => r.RoomNid)], ct);
        var moved = new HashSet<long>();
        foreach (var room in rooms)
            if (room.NewRoom is null && (!heads.TryGetValue(room.RoomNid, out var head) || head != room.ExpectedHead)) moved.Add(room.RoomNid);
        return moved;
    }

    /// <summary><c>rooms.head</c> of those rooms; rooms that do not exist are omitted.</summary>
    public static async Task<Dictionary<long, long>> HeadsAsync(Database database, long[] roomNids, CancellationToken ct)
    {
        var heads = new Dictionary<long, long>(roomNids.Length);
        await using var command = database.Source.CreateCommand(SqlHeads);
        command.Parameters.AddWithValue(roomNids);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) heads[r.GetInt64(0)] = r.GetInt64(1);
        return heads;
    }

    private Task<IReadOnlyDictionary<TransactionKey, string>> KnownAsync(IReadOnlyList<RoomCommit> rooms, CancellationToken ct) =>
        KnownAsync(database, [.. from room in rooms from e in room.Events where e.TxnId is not null select e.KeyIn(room.RoomId)], ct);

    /// <summary>Events that those transactions made; ones that made none are omitted.</summary>
    public static async Task<IReadOnlyDictionary<TransactionKey, string>> KnownAsync(Database database, IReadOnlyList<TransactionKey> keys, CancellationToken ct)
    {
        var known = new Dictionary<TransactionKey, string>();
        await using var command = database.Source.CreateCommand(SqlKnownTransactions);
        foreach (var part in (ReadOnlySpan<Func<TransactionKey, string>>)[k => k.UserId, k => k.DeviceId, k => k.RoomId, k => k.TxnId])
            command.Parameters.Add(Texts([.. keys.Select(part)]));
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            known[new TransactionKey(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3))] = r.GetString(4);
        return known;
    }

    private static string NidArray(long[] nids)
    {
        if (nids.Length == 0) return "{}";
        if (nids.Length == 1) return string.Create(CultureInfo.InvariantCulture, $"{{{nids[0]}}}");
        var text = new StringBuilder("{");
        foreach (var nid in nids) text.Append(CultureInfo.InvariantCulture, $"{nid},");
        text[^1] = '}';
        return text.ToString();
    }
}
