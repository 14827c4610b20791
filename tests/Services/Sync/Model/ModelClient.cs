using System.Text.Json;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>What a client makes of its answers, by the specification.</summary>
internal abstract class ModelClient(SyncUser user, ModelWorld world, Random random)
{
    public SyncUser User { get; } = user;
    protected ModelWorld World { get; } = world;
    /// <summary>Of this client alone: clients ask at the same time.</summary>
    protected Random Random { get; } = random;
    /// <summary>It is told of members only when they say something.</summary>
    public abstract bool IsLazy { get; }

    /// <summary>Rooms it was told of, with the membership in them.</summary>
    public Dictionary<string, Known> Rooms { get; } = [];
    /// <summary>Messages of all answers, also of those that were lost on the way.</summary>
    public HashSet<(string RoomId, string EventId)> EverTold { get; } = [];
    /// <summary>Of answers that arrived.</summary>
    public List<int> ToDevice { get; } = [];
    /// <summary>By room (empty: global) and type.</summary>
    public Dictionary<(string Room, string Type), JsonElement> Data { get; } = [];
    public Dictionary<string, string?> Status { get; } = [];
    /// <summary>What the device has left: one-time keys, and whether there is a fallback key that nobody has used.</summary>
    public (int OneTime, bool HasFallback) Keys { get; private set; }
    public List<ListNews> DeviceLists { get; } = [];

    internal sealed class Known
    {
        public string Membership { get; set; } = "join";
        public Dictionary<string, string> State { get; } = [];
        /// <summary>Without gaps.</summary>
        public List<string> Timeline { get; } = [];
        public HashSet<string> Senders { get; } = [];
        public HashSet<string> Typing { get; set; } = [];
        /// <summary>The event by user, type and thread.</summary>
        public Dictionary<(string User, string Type, string Thread), string> Receipts { get; } = [];
        /// <summary>All that were ever told.</summary>
        public HashSet<(string User, string Type, string EventId)> ReceiptsOn { get; } = [];
        /// <summary>Receipts of others after this position have been told; what was there before, only as far as the client needed it.</summary>
        public long ReceiptsSince { get; set; }
        /// <summary>Events of the first answer with the room: their receipts are needed.</summary>
        public HashSet<string> Shown { get; set; } = [];
        public long ShownUpTo { get; set; }
        public int? JoinedCount { get; set; }
        public (int Notifications, int Highlights)? Unread { get; set; }
    }

    /// <param name="Kind">begin: the client asks for the devices of all that it shares a room with at <paramref name="Events"/>. changed, left: as told.</param>
    /// <param name="Found">How often the devices of each user had changed when the client asked for them.</param>
    internal sealed record ListNews(string Kind, string? User, long Events, IReadOnlyDictionary<string, int> Found);

    /// <summary>One request; the answer is lost on the way, or the client dies before it has kept it, now and then.</summary>
    public abstract Task StepAsync(ServiceHost host);

    /// <summary>Until there is nothing more to be told.</summary>
    public abstract Task DrainAsync(ServiceHost host);

    protected Known Enter(string roomId, bool anew)
    {
        Assert.True(World.Rooms.Contains(roomId), $"{this}: told of {roomId}, which is none of his");
        if (anew || !Rooms.TryGetValue(roomId, out var room)) Rooms[roomId] = room = new Known();
        return room;
    }

    protected void Note(string roomId, IEnumerable<JsonElement> timeline)
    {
        foreach (var e in timeline) if (!e.TryGetProperty("state_key", out _)) EverTold.Add((roomId, e.Text("event_id")));
    }

    protected void Apply(Known room, IEnumerable<JsonElement> state, IEnumerable<JsonElement> timeline, bool stateInTimeline)
    {
        foreach (var e in state) room.State[RoomAnswer.Key(e)] = e.Text("event_id");
        foreach (var e in timeline)
        {
            var id = e.Text("event_id");
            Assert.False(room.Timeline.Contains(id), $"{this}: told twice: {e}");
            room.Timeline.Add(id);
            room.Senders.Add(e.Text("sender"));
            if (stateInTimeline && e.TryGetProperty("state_key", out _)) room.State[RoomAnswer.Key(e)] = id;
        }
    }

    protected void ApplyReceipts(Known room, JsonElement content)
    {
        foreach (var e in content.EnumerateObject())
            foreach (var type in e.Value.EnumerateObject())
                foreach (var user in type.Value.EnumerateObject())
                {
                    Assert.True(type.Name != "m.read.private" || user.Name == User.Id, $"{this}: told the private receipt of {user.Name}");
                    var thread = user.Value.At("thread_id")?.GetString() ?? "";
                    room.Receipts[(user.Name, type.Name, thread)] = e.Name;
                    room.ReceiptsOn.Add((user.Name, type.Name, e.Name));
                }
    }

    protected static HashSet<string> UsersOf(JsonElement typing) => [.. typing.GetProperty("user_ids").EnumerateArray().Select(u => u.GetString()!)];

    protected void ApplyData(string roomId, IEnumerable<JsonElement> events)
    {
        foreach (var e in events) Data[(roomId, e.Text("type"))] = e.GetProperty("content");
    }

    protected void ApplyToDevice(IEnumerable<JsonElement> events) => ToDevice.AddRange(events.Select(e => e.GetProperty("content").GetProperty("n").GetInt32()));

    /// <summary>The members are those of /sync, or of the extension.</summary>
    protected void ApplyKeys(JsonElement of) => Keys = (
        of.GetProperty("device_one_time_keys_count").GetProperty("signed_curve25519").GetInt32(), of.GetProperty("device_unused_fallback_key_types").GetArrayLength() == 1);

    protected void ApplyDeviceLists(JsonElement? lists)
    {
        foreach (var kind in (string[])["changed", "left"])
            if (lists?.At(kind) is { } users)
                foreach (var who in users.EnumerateArray()) DeviceLists.Add(new(kind, who.GetString(), 0, World.DeviceLists));
    }

    protected void BeginDeviceLists(long events) => DeviceLists.Add(new("begin", null, events, World.DeviceLists));

    public override string ToString() => $"{GetType().Name} of {User.Id} on {User.Device}";
}
