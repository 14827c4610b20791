using System.Text.Json;

namespace Matrix.Storage.Streams;

/// <summary>Payload of stream receipts; the row's key is the room id. The newest receipt of that user, type and thread in the room.</summary>
/// <param name="ReceiptType"><c>m.read</c> or <c>m.read.private</c> (only its owner may see that one).</param>
/// <param name="ThreadId">Event id of the thread's root, or <c>main</c>; empty: unthreaded.</param>
/// <param name="EventPosition">Position of the event in stream events; null when unknown.</param>
public sealed record ReceiptRow(string UserId, string ReceiptType, string ThreadId, string EventId, long? EventPosition, long TsMs)
{
    private struct Fields { public string? User, Type, Thread, Event; public long? Position, Ts; }

    public byte[] Encode() => RowJson.Write(this, static (w, r) =>
    {
        w.WriteString("user_id"u8, r.UserId);
        w.WriteString("type"u8, r.ReceiptType);
        if (r.ThreadId.Length > 0) w.WriteString("thread_id"u8, r.ThreadId);
        w.WriteString("event_id"u8, r.EventId);
        if (r.EventPosition is { } position) w.WriteNumber("event_pos"u8, position);
        w.WriteNumber("ts_ms"u8, r.TsMs);
    });

    public static ReceiptRow Decode(ReadOnlySpan<byte> payload)
    {
        var f = default(Fields);
        RowJson.Read(payload, ref f, static (ref Utf8JsonReader r, ref Fields f) =>
            r.ValueTextEquals("user_id"u8) ? RowJson.Text(ref r, ref f.User)
            : r.ValueTextEquals("type"u8) ? RowJson.Text(ref r, ref f.Type)
            : r.ValueTextEquals("thread_id"u8) ? RowJson.Text(ref r, ref f.Thread)
            : r.ValueTextEquals("event_id"u8) ? RowJson.Text(ref r, ref f.Event)
            : r.ValueTextEquals("event_pos"u8) ? RowJson.Number(ref r, ref f.Position)
            : r.ValueTextEquals("ts_ms"u8) && RowJson.Number(ref r, ref f.Ts));
        return new(f.User ?? "", f.Type ?? "", f.Thread ?? "", f.Event ?? "", f.Position, f.Ts ?? 0);
    }
}

/// <summary>Payload of stream account_data; the row's key is the user id. The content stands in table account_data.</summary>
/// <param name="RoomId">Empty: global.</param>
public sealed record AccountDataRow(string RoomId, string Type)
{
    private struct Fields { public string? Room, Type; }

    public byte[] Encode() => RowJson.Write(this, static (w, r) =>
    {
        if (r.RoomId.Length > 0) w.WriteString("room_id"u8, r.RoomId);
        w.WriteString("type"u8, r.Type);
    });

    public static AccountDataRow Decode(ReadOnlySpan<byte> payload)
    {
        var f = default(Fields);
        RowJson.Read(payload, ref f, static (ref Utf8JsonReader r, ref Fields f) =>
            r.ValueTextEquals("room_id"u8) ? RowJson.Text(ref r, ref f.Room)
            : r.ValueTextEquals("type"u8) && RowJson.Text(ref r, ref f.Type));
        return new(f.Room ?? "", f.Type ?? "");
    }
}

/// <summary>
/// Payload of stream to_device; the row's key is the user id: there are messages for that device in to_device_messages at this position.
/// </summary>
/// <param name="KeysChanged">No messages: the device's one-time or fallback keys have changed.</param>
public sealed record ToDeviceRow(string DeviceId, bool KeysChanged = false)
{
    private struct Fields { public string? Device; public bool Keys; }

    public byte[] Encode() => RowJson.Write(this, static (w, r) =>
    {
        w.WriteString("device_id"u8, r.DeviceId);
        if (r.KeysChanged) w.WriteBoolean("keys"u8, true);
    });

    public static ToDeviceRow Decode(ReadOnlySpan<byte> payload)
    {
        var f = default(Fields);
        RowJson.Read(payload, ref f, static (ref Utf8JsonReader r, ref Fields f) =>
            r.ValueTextEquals("device_id"u8) ? RowJson.Text(ref r, ref f.Device)
            : r.ValueTextEquals("keys"u8) && RowJson.Flag(ref r, ref f.Keys));
        return new(f.Device ?? "", f.Keys);
    }
}

/// <summary>Payload of stream device_lists; the row's key is the user id whose devices or keys changed.</summary>
/// <param name="DeviceId">The device that changed; null: several, or the cross-signing keys.</param>
/// <param name="About">
/// Not null: only the user of the key is concerned. He has signed that user's keys, or changed what only he sees of his own; nobody else hears of it.
/// </param>
public sealed record DeviceListRow(string? DeviceId, string? About = null)
{
    private struct Fields { public string? Device, About; }

    public byte[] Encode() => RowJson.Write(this, static (w, r) =>
    {
        if (r.DeviceId is { } id) w.WriteString("device_id"u8, id);
        if (r.About is { } user) w.WriteString("about"u8, user);
    });

    public static DeviceListRow Decode(ReadOnlySpan<byte> payload)
    {
        var f = default(Fields);
        RowJson.Read(payload, ref f, static (ref Utf8JsonReader r, ref Fields f) =>
            r.ValueTextEquals("device_id"u8) ? RowJson.Text(ref r, ref f.Device)
            : r.ValueTextEquals("about"u8) && RowJson.Text(ref r, ref f.About));
        return new(f.Device, f.About);
    }
}
