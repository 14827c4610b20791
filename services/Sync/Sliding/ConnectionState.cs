using System.Text;

namespace Matrix.Sync.Sliding;

/// <summary>
/// A room as a connection's client knows it. <paramref name="Known"/>: told up to that position of stream events; null: up to the position that the
/// client comes with ("live").
/// </summary>
/// <param name="AsJoined">It was told as a room that the user is in, not as an invitation.</param>
internal readonly record struct SentRoom(long? Known, bool AsJoined, bool IsDm, RoomConfig Config)
{
    public bool IsLive => Known is null;
}

/// <summary>
/// What the client of a connection has been told, as of one version. It changes only when a room is told for the first time, falls behind or catches up,
/// or is asked for in another way: an answer with news of rooms that are live changes nothing here. Immutable.
/// </summary>
internal sealed class ConnectionState(IReadOnlyDictionary<long, SentRoom> rooms, IReadOnlyDictionary<string, string> extensions)
{
    private const byte Format = 1;

    public static ConnectionState Empty { get; } = new(new Dictionary<long, SentRoom>(), new Dictionary<string, string>());

    /// <summary>By room nid.</summary>
    public IReadOnlyDictionary<long, SentRoom> Rooms { get; } = rooms;
    /// <summary>What each enabled extension was asked for.</summary>
    public IReadOnlyDictionary<string, string> Extensions { get; } = extensions;
    /// <summary>Estimate of memory, bytes.</summary>
    public long Bytes => 512 + (Rooms.Count * 72L);

    public byte[] Encode()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Format);
        writer.Write7BitEncodedInt(Extensions.Count);
        foreach (var (name, scope) in Extensions)
        {
            writer.Write(name);
            writer.Write(scope);
        }
        var configs = new Dictionary<(int, string), int>();
        foreach (var room in Rooms.Values) configs.TryAdd((room.Config.TimelineLimit, room.Config.Required.Text), configs.Count);
        writer.Write7BitEncodedInt(configs.Count);
        foreach (var (limit, required) in configs.Keys)
        {
            writer.Write7BitEncodedInt(limit);
            writer.Write(required);
        }
        writer.Write7BitEncodedInt(Rooms.Count);
        var before = 0L;
        foreach (var (nid, room) in Rooms.OrderBy(r => r.Key))
        {
            writer.Write7BitEncodedInt64(nid - before);
            before = nid;
            writer.Write((byte)((room.IsLive ? 1 : 0) | (room.AsJoined ? 2 : 0) | (room.IsDm ? 4 : 0)));
            writer.Write7BitEncodedInt(configs[(room.Config.TimelineLimit, room.Config.Required.Text)]);
            if (room.Known is { } known) writer.Write7BitEncodedInt64(known);
        }
        writer.Flush();
        return stream.ToArray();
    }

    /// <summary>Null: another release wrote it, in a format that this one does not know.</summary>
    public static ConnectionState? Decode(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
        if (reader.ReadByte() != Format) return null;
        var extensions = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var n = reader.Read7BitEncodedInt(); n > 0; n--) extensions[reader.ReadString()] = reader.ReadString();
        var configs = new RoomConfig[reader.Read7BitEncodedInt()];
        for (var i = 0; i < configs.Length; i++) configs[i] = new(reader.Read7BitEncodedInt(), RequiredState.Parse(reader.ReadString()));
        var count = reader.Read7BitEncodedInt();
        var rooms = new Dictionary<long, SentRoom>(count);
        var nid = 0L;
        for (var i = 0; i < count; i++)
        {
            nid += reader.Read7BitEncodedInt64();
            var flags = reader.ReadByte();
            var config = configs[reader.Read7BitEncodedInt()];
            rooms[nid] = new((flags & 1) != 0 ? null : reader.Read7BitEncodedInt64(), (flags & 2) != 0, (flags & 4) != 0, config);
        }
        return new(rooms, extensions);
    }
}
