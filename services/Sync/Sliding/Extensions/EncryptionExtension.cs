using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Sync.Answers;
using Matrix.Sync.Encryption;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Sliding.Extensions;

/// <summary>
/// Device lists that changed since the position, of all rooms that the user is in, whatever the lists show; and what is left of the device's keys.
/// Spec: MSC3884
/// </summary>
internal sealed class EncryptionExtension(ExtensionRequest request) : SlidingExtension(request)
{
    private readonly HashSet<string> changed = new(StringComparer.Ordinal), left = new(StringComparer.Ordinal);
    private readonly List<long> joinedRooms = [], leftRooms = [];
    private long? membersSince;
    private DeviceKeyCounts counts = new([], []);

    public override void Plan(ExtensionContext context)
    {
        if (context.Since is not { } since) return;
        var user = context.Reader.User;
        if (context.Older.DeviceLists is { } older) changed.UnionWith(older);
        DeviceChanges.Collect(context.State, user, since.DeviceLists, changed, left);
        foreach (var (userId, isJoined) in user.Contacts.After(since.Events)) (isJoined ? changed : left).Add(userId);
        if (user.LastEvent <= since.Events) return;
        if (user.Contacts.Floor > since.Events) membersSince = since.Events;
        foreach (var room in AnswerPlanner.Turns(user.Log, since.Events, context.Older))
        {
            if (user.Find(room.Key) is not { } own) continue;
            var wasJoined = room.First().Before == Membership.Join;
            if (own.Membership == Membership.Join && (!wasJoined || room.Any(t => t.After != Membership.Join))) joinedRooms.Add(own.RoomNid);
            if (AnswerPlanner.WasAway(room)) leftRooms.Add(own.RoomNid);
        }
    }

    public override async Task FillAsync(ExtensionContext context, ISyncStore store, CancellationToken ct)
    {
        var reader = context.Reader;
        counts = await context.Encryption.RefreshCountsAsync(reader.User, reader.Device, reader.Request.DeviceId, ct);
        if (membersSince is { } since)
        {
            // Further back than memory: whoever came or left in the rooms of the user.
            var turned = await store.MemberTurnsAsync(reader.User.Id, since, context.Plan.Now.Events, ct);
            changed.UnionWith(turned);
            left.UnionWith(turned);
        }
        if (joinedRooms.Count > 0) foreach (var members in (await store.JoinedMembersAsync(joinedRooms, ct)).Values) changed.UnionWith(members);
        if (leftRooms.Count > 0) left.UnionWith(await store.MembersSinceAsync(leftRooms, context.Since!.Value.Events, ct));
        left.Remove(reader.User.Id);
        if (left.Count == 0) return;
        // Who left a room may share another one.
        left.ExceptWith(await store.SharingAsync(reader.User.Id, left, ct));
        changed.ExceptWith(left);
    }

    public override bool HasNews => changed.Count + left.Count > 0;
    public override bool IsWritten => true;

    public override void Write(PooledBuffer output, ExtensionContext context)
    {
        output.Raw("{\"device_one_time_keys_count\":"u8);
        KeyCounts.WriteOneTime(output, counts);
        output.Raw(",\"device_unused_fallback_key_types\":"u8);
        KeyCounts.WriteUnusedFallback(output, counts);
        if (HasNews)
        {
            output.Raw(",\"device_lists\":{\"changed\":["u8);
            WriteUsers(output, changed);
            output.Raw("],\"left\":["u8);
            WriteUsers(output, left);
            output.Raw("]}"u8);
        }
        output.Raw("}"u8);
    }

    private static void WriteUsers(PooledBuffer output, HashSet<string> users)
    {
        var first = true;
        foreach (var user in users) output.Comma(ref first).Text(user);
    }
}
