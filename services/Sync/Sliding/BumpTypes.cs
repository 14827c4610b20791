namespace Matrix.Sync.Sliding;

/// <summary>Events that count as activity, by which clients sort rooms. Spec: MSC4186, bump_stamp</summary>
internal static class BumpTypes
{
    public static readonly string[] All =
    [
        "m.room.create", "m.room.message", "m.room.encrypted", "m.sticker", "m.call.invite", "m.poll.start", "m.beacon_info",
    ];

    public static bool Contains(string type) => Array.IndexOf(All, type) >= 0;
}
