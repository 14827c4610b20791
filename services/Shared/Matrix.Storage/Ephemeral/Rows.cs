using System.Text.Json;
using Matrix.Storage.Streams;

namespace Matrix.Storage.Ephemeral;

/// <summary>
/// Payload of stream typing; the row's key is <see cref="Key"/>, since the newest row of a key has to say everything about it. Consumers keep the set of a
/// room, and each drops a user itself when his time is over, so that no instance has to own a room.
/// </summary>
/// <param name="Typing">False: has stopped.</param>
/// <param name="ExpiresTsMs">When he counts as having stopped unless another row comes; 0 when <paramref name="Typing"/> is false.</param>
public sealed record TypingRow(string UserId, bool Typing, long ExpiresTsMs)
{
    /// <summary>User and room; ids of users have no spaces.</summary>
    public static string Key(string roomId, string userId) => $"{userId} {roomId}";

    public static string RoomOf(string key) => key[(key.IndexOf(' ', StringComparison.Ordinal) + 1)..];

    private struct Fields { public string? User; public bool Typing; public long? Expires; }

    public byte[] Encode() => RowJson.Write(this, static (w, r) =>
    {
        w.WriteString("user_id"u8, r.UserId);
        w.WriteBoolean("typing"u8, r.Typing);
        w.WriteNumber("expires_ts_ms"u8, r.ExpiresTsMs);
    });

    public static TypingRow Decode(ReadOnlySpan<byte> payload)
    {
        var f = default(Fields);
        RowJson.Read(payload, ref f, static (ref Utf8JsonReader r, ref Fields f) =>
            r.ValueTextEquals("user_id"u8) ? RowJson.Text(ref r, ref f.User)
            : r.ValueTextEquals("typing"u8) ? RowJson.Flag(ref r, ref f.Typing)
            : r.ValueTextEquals("expires_ts_ms"u8) && RowJson.Number(ref r, ref f.Expires));
        return new(f.User ?? "", f.Typing, f.Expires ?? 0);
    }
}

/// <summary>Payload of stream presence; the row's key is the user id. Spec: client-server-api/#mpresence</summary>
/// <param name="Presence"><c>online</c>, <c>unavailable</c> or <c>offline</c>.</param>
/// <param name="LastActiveTsMs">When the user last did something; <c>last_active_ago</c> counts from it.</param>
public sealed record PresenceRow(string Presence, string? StatusMsg, long LastActiveTsMs, bool CurrentlyActive)
{
    private struct Fields { public string? Presence, Status; public long? LastActive; public bool Currently; }

    public byte[] Encode() => RowJson.Write(this, static (w, r) =>
    {
        w.WriteString("presence"u8, r.Presence);
        if (r.StatusMsg is { } status) w.WriteString("status_msg"u8, status);
        w.WriteNumber("last_active_ts"u8, r.LastActiveTsMs);
        w.WriteBoolean("currently_active"u8, r.CurrentlyActive);
    });

    public static PresenceRow Decode(ReadOnlySpan<byte> payload)
    {
        var f = default(Fields);
        RowJson.Read(payload, ref f, static (ref Utf8JsonReader r, ref Fields f) =>
            r.ValueTextEquals("presence"u8) ? RowJson.Text(ref r, ref f.Presence)
            : r.ValueTextEquals("status_msg"u8) ? RowJson.Text(ref r, ref f.Status)
            : r.ValueTextEquals("last_active_ts"u8) ? RowJson.Number(ref r, ref f.LastActive)
            : r.ValueTextEquals("currently_active"u8) && RowJson.Flag(ref r, ref f.Currently));
        return new(f.Presence ?? "offline", f.Status, f.LastActive ?? 0, f.Currently);
    }
}
