using System.Text.Json;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>What the database says in the end.</summary>
internal sealed class ModelTruth
{
    private readonly Dictionary<(string Room, string User), HashSet<string>> visible = [];

    /// <summary>Nothing was read.</summary>
    public static ModelTruth None { get; } = new();

    public Dictionary<string, RoomTruth> Rooms { get; } = [];
    public Dictionary<(string User, string Room, string Type), JsonElement> Data { get; } = [];
    /// <summary>What each device has left; missing: nothing.</summary>
    public Dictionary<(string User, string Device), (int OneTime, bool HasFallback)> Keys { get; } = [];

    /// <param name="Members">Memberships by user.</param>
    /// <param name="Timeline">All of it, oldest first.</param>
    internal sealed record RoomTruth(List<StoredEvent> Timeline, Dictionary<string, string> State, Dictionary<string, MembershipRecord> Members, List<Receipt> Receipts)
    {
        public IEnumerable<string> Joined => Members.Where(m => m.Value.Membership == "join").Select(m => m.Key);

        /// <summary>Who was in the room after that position of the stream.</summary>
        public HashSet<string> JoinedAt(long position)
        {
            var joined = new HashSet<string>();
            foreach (var e in Timeline.Where(e => e.Position <= position && e.Pdu.Type == "m.room.member"))
                if (e.Pdu.Membership == "join") joined.Add(e.Pdu.StateKey!);
                else joined.Remove(e.Pdu.StateKey!);
            return joined;
        }
    }

    internal sealed record Receipt(string User, string Type, string Thread, string EventId, long EventPosition, long Position);

    public static async Task<ModelTruth> ReadAsync(SyncFixture fixture, ModelWorld world)
    {
        var truth = new ModelTruth();
        var rooms = new RoomReader(fixture.Postgres.Database);
        var events = new EventReader(fixture.Postgres.Database);
        var visibility = fixture.One.Services.GetRequiredService<EventVisibility>();
        foreach (var roomId in world.Rooms)
        {
            var nid = (await rooms.FindAsync(roomId, default))!.RoomNid;
            var timeline = await events.TimelineAsync(nid, 0, long.MaxValue, backwards: false, 10_000, default);
            var state = (await rooms.CurrentStateAsync(nid, default)).ToDictionary(e => $"{e.Pdu.Type}|{e.Pdu.StateKey}", e => e.Pdu.EventId);
            var members = new Dictionary<string, MembershipRecord>();
            foreach (var user in world.Users)
            {
                if (await rooms.MembershipAsync(roomId, user.Id, default) is { } member) members[user.Id] = member;
                truth.visible[(roomId, user.Id)] = [.. (await visibility.FilterAsync(new UserId(user.Id), timeline, default)).Select(e => e.Pdu.EventId)];
            }
            truth.Rooms[roomId] = new(timeline, state, members, await ReceiptsAsync(fixture, roomId));
        }
        await truth.ReadDataAsync(fixture);
        await truth.ReadKeysAsync(fixture);
        return truth;
    }

    private static async Task<List<Receipt>> ReceiptsAsync(SyncFixture fixture, string roomId)
    {
        await using var command = fixture.Postgres.Source.CreateCommand(
            "select user_id, receipt_type, thread_id, event_id, coalesce(event_pos, 0), pos from receipts where room_id = $1");
        command.Parameters.AddWithValue(roomId);
        var receipts = new List<Receipt>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            receipts.Add(new(reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetInt64(4), reader.GetInt64(5)));
        return receipts;
    }

    private async Task ReadDataAsync(SyncFixture fixture)
    {
        await using var command = fixture.Postgres.Source.CreateCommand("select user_id, room_id, type, content from account_data");
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            Data[(reader.GetString(0), reader.GetString(1), reader.GetString(2))] = JsonDocument.Parse(reader.GetFieldValue<byte[]>(3)).RootElement.Clone();
    }

    private async Task ReadKeysAsync(SyncFixture fixture)
    {
        await using var command = fixture.Postgres.Source.CreateCommand(
            """
            select d.user_id, d.device_id,
                   (select count(*) from one_time_keys k where k.user_id = d.user_id and k.device_id = d.device_id and k.claimed_ts_ms is null)::int,
                   exists (select 1 from fallback_keys f where f.user_id = d.user_id and f.device_id = d.device_id and not f.used)
            from devices d
            """);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync()) Keys[(reader.GetString(0), reader.GetString(1))] = (reader.GetInt32(2), reader.GetBoolean(3));
    }

    /// <summary>Ids of the room's events that the user may see, oldest first; ignoring apart.</summary>
    public HashSet<string> Visible(string roomId, SyncUser user) => visible[(roomId, user.Id)];

    public IEnumerable<string> JoinedRooms(SyncUser user) => Rooms.Where(r => r.Value.Joined.Contains(user.Id)).Select(r => r.Key);

    /// <summary>He himself, and whoever is in a room with him.</summary>
    public HashSet<string> Contacts(SyncUser user) => [user.Id, .. JoinedRooms(user).SelectMany(r => Rooms[r].Joined)];

    /// <summary>Messages of others after what he has read, or said himself, by the default rules: all, and those that mention him.</summary>
    /// <param name="threads">Roots, by what was sent in their threads, whether it was redacted or not.</param>
    public (int Notifications, int Highlights) Unread(string roomId, SyncUser user, string? ignored, Dictionary<string, string> threads)
    {
        var room = Rooms[roomId];
        var own = room.Receipts.Where(r => r.User == user.Id && r.Type is "m.read" or "m.read.private").ToList();
        var sent = room.Timeline.Where(e => e.Pdu.Sender == user.Id && e.Pdu.Type != "m.room.member").ToLookup(e => threads.GetValueOrDefault(e.Pdu.EventId, "main"), e => e.Position!.Value);
        long ReadUpTo(string thread) => own.Where(r => r.Thread == thread).Select(r => r.EventPosition).Concat(sent[thread]).Append(0).Max();
        var joined = room.Timeline.FindLast(e => e.Pdu.Type == "m.room.member" && e.Pdu.StateKey == user.Id)!.Position!.Value;
        var floor = Math.Max(joined, ReadUpTo(""));
        var (all, loud) = (0, 0);
        foreach (var e in room.Timeline.Where(e => e.Position > floor && e.RedactedBy is null && e.Pdu.Type == "m.room.message" && e.Pdu.Sender != user.Id && e.Pdu.Sender != ignored))
        {
            var content = JsonDocument.Parse(e.Pdu.Json).RootElement.GetProperty("content");
            if (e.Position <= ReadUpTo(threads.GetValueOrDefault(e.Pdu.EventId, "main"))) continue;
            all++;
            if (content.At("m.mentions", "user_ids") is { } users && users.EnumerateArray().Any(u => u.GetString() == user.Id)) loud++;
        }
        return (all, loud);
    }
}
