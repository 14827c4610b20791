using Matrix.Events;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Push;
using Matrix.Storage.Rooms;

namespace Matrix.Push.Evaluation;

/// <summary>Somebody in a room who has pushers here.</summary>
/// <param name="JoinedPos">He sees events after this position; 0 when he was in the room before his newest member event already.</param>
internal sealed record Listener(string UserId, string? DisplayName, long JoinedPos);

/// <summary>What a room's events are judged by. A copy of the database that is thrown away with the next state event of the room.</summary>
/// <param name="Levels">Null: the room has no create event here.</param>
/// <param name="LifetimeMs">Of messages; null: for good.</param>
internal sealed record RoomAudience(IReadOnlyList<Listener> Listeners, long MemberCount, PowerLevels? Levels, string? Name, string? Alias, long? LifetimeMs)
{
    public static readonly RoomAudience Nobody = new([], 0, null, null, null, null);

    /// <summary>Past that, the event is not shown any more; <see cref="long.MaxValue"/>: it stays.</summary>
    public long ExpiresTsMs(Pdu e) => LifetimeMs is { } lifetime && !e.IsState ? e.OriginServerTs + lifetime : long.MaxValue;
}

/// <summary>Audiences by room, bounded.</summary>
/// <param name="retention">Null: messages are shown for good.</param>
internal sealed class RoomAudiences(PusherStore store, RoomReader rooms, MessageRetention? retention)
{
    private const int MaxRooms = 20_000;
    private static readonly StateKey Create = new(EventTypes.Create, "");
    private static readonly StateKey Levels = new(EventTypes.PowerLevels, "");
    private static readonly StateKey Name = new(EventTypes.Name, "");
    private static readonly StateKey Alias = new(EventTypes.CanonicalAlias, "");
    private static readonly StateKey Retention = new(MessageRetention.EventType, "");
    private readonly Dictionary<long, RoomAudience> known = [];

    public void Clear() => known.Clear();
    public void Forget(long roomNid) => known.Remove(roomNid);

    /// <param name="users">All who have pushers here.</param>
    public async ValueTask<RoomAudience> OfAsync(long roomNid, IReadOnlyCollection<string> users, CancellationToken ct)
    {
        if (known.TryGetValue(roomNid, out var audience)) return audience;
        audience = await LoadAsync(roomNid, users, ct);
        if (known.Count >= MaxRooms) known.Clear();
        return known[roomNid] = audience;
    }

    /// <summary>As <see cref="OfAsync"/>, with somebody in it who is not joined: the target of an invite.</summary>
    public async Task<RoomAudience> ForTargetAsync(long roomNid, string target, CancellationToken ct) =>
        await StateAsync(roomNid, [new Listener(target, null, 0)], ct);

    private async Task<RoomAudience> LoadAsync(long roomNid, IReadOnlyCollection<string> users, CancellationToken ct)
    {
        var joined = users.Count == 0 ? [] : await store.JoinedAsync(roomNid, users, ct);
        return joined.Count == 0 ? RoomAudience.Nobody : await StateAsync(roomNid, [.. joined.Select(Listen)], ct);
    }

    private async Task<RoomAudience> StateAsync(long roomNid, IReadOnlyList<Listener> listeners, CancellationToken ct)
    {
        var count = await store.CountJoinedAsync(roomNid, ct);
        var state = (await rooms.CurrentStateAsync([roomNid], [Create, Levels, Name, Alias, Retention], ct)).ToDictionary(e => e.Pdu.Type, StringComparer.Ordinal);
        Pdu? Find(StateKey key) => state.TryGetValue(key.Type, out var e) ? e.Pdu : null;
        return new RoomAudience(
            listeners, count, Find(Create) is { } create ? PowerLevels.Read(create, Find(Levels)) : null,
            Filled(Find(Name)?.ContentString("name"u8)), Filled(Find(Alias)?.ContentString("alias"u8)),
            retention?.MaxLifetimeMs(Find(Retention)));
    }

    private static Listener Listen(JoinedUser user)
    {
        var was = user.BeforeJson is { } before ? MemberContent.Read(before).Membership : null;
        return new Listener(user.UserId, MemberContent.Read(user.MemberJson).DisplayName, was == Memberships.Join ? 0 : user.JoinedPos);
    }

    private static string? Filled(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
