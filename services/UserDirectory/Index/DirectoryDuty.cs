using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Replication;
using Matrix.Storage;
using Matrix.Storage.Directory;
using Matrix.Storage.Events;
using Matrix.Storage.Following;
using Matrix.Storage.Rooms;
using Npgsql;

namespace Matrix.UserDirectory.Index;

/// <summary>Keeps the directory: profiles of local users, names of remote ones in rooms here, and which rooms are public.</summary>
internal sealed class DirectoryDuty(
    Database database, ServerIdentity identity, ProfileReader profiles, UserDirectoryStore store, RoomReader rooms) : IFollowingDuty
{
    private const int UsersAtOnce = 1000;
    private const int RoomsAtOnce = 500;
    private static readonly StateKey JoinRules = new("m.room.join_rules", "");
    private static readonly StateKey HistoryVisibility = new("m.room.history_visibility", "");

    public string Reader => "userdirectory";
    public IReadOnlyList<StreamDefinition> Streams { get; } = [Replication.Streams.Events, Replication.Streams.UserDirectory];
    public bool IsMine => true;

    public async Task RebuildAsync(CancellationToken ct)
    {
        var after = "";
        while (await profiles.PageAsync(after, UsersAtOnce, ct) is { Count: > 0 } page)
        {
            await database.InTransactionAsync(async tx => { await IndexAsync(tx, page, ct); return true; }, ct);
            after = page[^1].UserId;
        }
        long afterRoom = 0;
        while (await store.RoomsPageAsync(afterRoom, RoomsAtOnce, ct) is { Count: > 0 } nids)
        {
            await database.InTransactionAsync(async tx => { await JudgeRoomsAsync(tx, nids, ct); return true; }, ct);
            afterRoom = nids[^1];
        }
    }

    public bool Concerns(StreamDefinition stream, StreamRow row)
    {
        if (stream != Replication.Streams.Events) return true;
        var e = EventRow.Decode(row);
        return MovesOpenness(e) || (e.IsCurrentState && (IsOpenness(e.Type) || IsRemoteMember(e)));
    }

    public Task ApplyAsync(NpgsqlTransaction tx, StreamDefinition stream, IReadOnlyList<StreamRow> rows, CancellationToken ct) =>
        stream == Replication.Streams.UserDirectory ? ApplyProfilesAsync(tx, rows, ct) : ApplyEventsAsync(tx, rows, ct);

    private async Task ApplyProfilesAsync(NpgsqlTransaction tx, IReadOnlyList<StreamRow> rows, CancellationToken ct)
    {
        var users = rows.Select(r => r.Key).Distinct(StringComparer.Ordinal).ToList();
        var found = await profiles.FindAsync(users, ct);
        await UserDirectoryStore.RemoveAsync(tx, users.Except(found.Select(p => p.UserId), StringComparer.Ordinal).ToList(), ct);
        await IndexAsync(tx, found, ct);
    }

    private static async Task IndexAsync(NpgsqlTransaction tx, IReadOnlyList<ProfileRecord> found, CancellationToken ct)
    {
        var entries = found.Where(p => !p.Deactivated).Select(p => new DirectoryEntry(p.UserId, p.DisplayName, p.AvatarUrl)).ToList();
        await UserDirectoryStore.UpsertAsync(tx, entries, entries.Select(e => SearchWords.Of(e.UserId, e.DisplayName)).ToList(), ct);
        await UserDirectoryStore.RemoveAsync(tx, found.Where(p => p.Deactivated).Select(p => p.UserId).ToList(), ct);
    }

    private async Task ApplyEventsAsync(NpgsqlTransaction tx, IReadOnlyList<StreamRow> rows, CancellationToken ct)
    {
        var touched = new HashSet<long>();
        var remote = new Dictionary<string, DirectoryEntry>(StringComparer.Ordinal);
        foreach (var row in rows)
        {
            var e = EventRow.Decode(row);
            if (MovesOpenness(e) || (e.IsCurrentState && IsOpenness(e.Type))) touched.Add(e.RoomNid);
            if (e.IsCurrentState && IsRemoteMember(e) && RemoteMember(e) is { } entry) remote[entry.UserId] = entry;
        }
        if (touched.Count > 0) await JudgeRoomsAsync(tx, touched, ct);
        var entries = remote.Values.ToList();
        await UserDirectoryStore.UpsertAsync(tx, entries, entries.Select(e => SearchWords.Of(e.UserId, e.DisplayName)).ToList(), ct);
    }

    /// <summary>Decides whether everybody may see who is in a room.</summary>
    private static bool IsOpenness(string type) => type == JoinRules.Type || type == HistoryVisibility.Type;
    private static bool MovesOpenness(EventRow e) => e.Moves.Any(static m => IsOpenness(m.Type));
    private bool IsRemoteMember(EventRow e) => e is { Type: "m.room.member", StateKey: { } user } && !identity.IsMine(user);

    /// <summary>Null: not a join.</summary>
    private static DirectoryEntry? RemoteMember(EventRow row)
    {
        using var document = JsonDocument.Parse(row.Json);
        if (!document.RootElement.TryGetProperty("content", out var content) || Text(content, "membership") != "join") return null;
        return new DirectoryEntry(row.StateKey!, Text(content, "displayname"), Text(content, "avatar_url"));
    }

    /// <summary>By current state, which may be newer than the rows: those that follow come to the same judgement.</summary>
    private async Task JudgeRoomsAsync(NpgsqlTransaction tx, IReadOnlyCollection<long> roomNids, CancellationToken ct)
    {
        var open = new HashSet<long>();
        foreach (var e in await rooms.CurrentStateAsync(roomNids, [JoinRules, HistoryVisibility], ct))
        {
            using var content = JsonDocument.Parse(e.Pdu.Content);
            if (e.Pdu.Type == JoinRules.Type ? Text(content.RootElement, "join_rule") == "public" : Text(content.RootElement, "history_visibility") == "world_readable")
                open.Add(e.RoomNid);
        }
        await UserDirectoryStore.SetPublicRoomsAsync(tx, open, roomNids.Except(open).ToList(), ct);
    }

    private static string? Text(JsonElement o, string name) =>
        o.ValueKind == JsonValueKind.Object && o.TryGetProperty(name, out var v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null;
}
