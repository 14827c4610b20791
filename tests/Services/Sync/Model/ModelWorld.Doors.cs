namespace Matrix.ServiceTests.Sync.Model;

// Knocks, keys that devices leave for others, reactions, and redactions of what plain ones leave out. Drawn apart, so that a seed goes on drawing the same of everything else.
internal sealed partial class ModelWorld
{
    private readonly Random apart = new(seed ^ 0x5eed);
    private readonly HashSet<string> redacted = [];
    private int keys;

    /// <summary>What happens besides the change of this step, now and then.</summary>
    private Func<Task>? Besides(string room, SyncUser owner, SyncUser user, SyncUser other)
    {
        var device = Devices[apart.Next(Devices.Length)];
        var (count, hasFallback) = (apart.Next(3), apart.Next(3) == 0);
        return apart.Next(12) switch
        {
            0 => () => KnockAsync(room, owner, user, other),
            1 or 2 => () => UploadKeysAsync(user.On(device), count, hasFallback),
            3 or 4 => () => ClaimKeyAsync(user, other.On(device)),
            5 => Said(s => () => ReactAsync(s.Room, user, s.EventId)),
            6 => Said(s => () => RedactAsync(s.Room, s.Sender, s.EventId)),
            _ => null,
        };
    }

    /// <summary>Something about one of the newest messages.</summary>
    private Func<Task>? Said(Func<(string Room, SyncUser Sender, string EventId, bool IsPlain), Func<Task>> make) =>
        said.Count == 0 ? null : make(said[^(1 + apart.Next(Math.Min(said.Count, 12)))]);

    /// <summary>In the thread of what it is about, unless that was redacted: then it is about nothing that would say so.</summary>
    private async Task ReactAsync(string room, SyncUser user, string target)
    {
        var content = new Dictionary<string, object> { ["m.relates_to"] = new { rel_type = "m.annotation", event_id = target, key = "+" } };
        var id = await user.SendAsync(room, "m.reaction", content);
        if (!redacted.Contains(target) && Threads.TryGetValue(target, out var root)) Threads[id] = root;
    }

    /// <summary>For a moment nobody comes in without having asked.</summary>
    private static async Task KnockAsync(string room, SyncUser owner, params SyncUser[] users)
    {
        await TryAsync(() => owner.SetAsync(room, "m.room.join_rules", new { join_rule = "knock" }));
        foreach (var user in users) await TryAsync(() => user.KnockAsync(room));
        await TryAsync(() => owner.SetAsync(room, "m.room.join_rules", new { join_rule = "public" }));
    }

    private Task UploadKeysAsync(SyncUser user, int count, bool hasFallback) => user.CallAsync(user.Fixture.One, HttpMethod.Post, "/_matrix/client/v3/keys/upload", new
    {
        one_time_keys = Enumerable.Range(0, count).ToDictionary(_ => $"signed_curve25519:{keys++}", _ => "k"),
        fallback_keys = hasFallback ? new Dictionary<string, string> { [$"signed_curve25519:{keys++}"] = "f" } : [],
    });

    private static Task ClaimKeyAsync(SyncUser user, SyncUser of) => user.CallAsync(user.Fixture.One, HttpMethod.Post, "/_matrix/client/v3/keys/claim", new
    {
        one_time_keys = new Dictionary<string, object> { [of.Id] = new Dictionary<string, string> { [of.Device] = "signed_curve25519" } },
    });

    private async Task EndApartAsync()
    {
        await KnockAsync(Rooms[0], Users[0], [.. Users]);
        foreach (var user in Users)
        {
            await UploadKeysAsync(user.On(Devices[apart.Next(Devices.Length)]), 2, hasFallback: true);
            foreach (var device in Devices) if (apart.Next(2) == 0) await ClaimKeyAsync(Users[0], user.On(device));
        }
    }
}
