using System.Text;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Unit.Vectors;

/// <summary>Reads the files of Vectors/data.</summary>
internal static class Vector
{
    public static JsonElement Load(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "data", name)));
        return document.RootElement.Clone();
    }

    public static byte[] Bytes(this JsonElement element) => Encoding.UTF8.GetBytes(element.GetRawText());

    public static byte[] Utf8(this JsonElement element) => Encoding.UTF8.GetBytes(element.GetString()!);

    public static string Canonical(this JsonElement element) => Encoding.UTF8.GetString(CanonicalJson.Of(element.Bytes()));

    public static byte[] Base64(this JsonElement element)
    {
        Assert.True(UnpaddedBase64.TryDecode(element.GetString()!, out var data));
        return data;
    }

    public static RoomVersion Version(this JsonElement element) => RoomVersions.Find(element.GetProperty("room_version").GetString()!)!;

    /// <summary>
    /// The events of some files are sketches without hashes, signatures, depth. What is missing is added: a signature entry of the sender's
    /// server, an empty list, a zero. What is there stays, wrong types included.
    /// </summary>
    /// <param name="stateKey">Added when the event has none: some auth events of the files say their state key by their place only.</param>
    public static Pdu Event(JsonElement json, RoomVersion version, string? stateKey = null)
    {
        var text = new StringBuilder("{");
        foreach (var member in json.EnumerateObject())
        {
            if (member.Name is "unsigned" or "test-comments" || (member.Name == "event_id" && version.EventIds != EventIdFormat.ServerGiven)) continue;
            text.Append(JsonSerializer.Serialize(member.Name)).Append(':').Append(member.Value.GetRawText()).Append(',');
        }
        Add("depth", "1");
        Add("origin_server_ts", "1");
        Add("prev_events", "[]");
        Add("auth_events", "[]");
        Add("hashes", "{}");
        Add("content", "{}");
        if (stateKey is not null) Add("state_key", JsonSerializer.Serialize(stateKey));
        var sender = json.TryGetProperty("sender", out var s) ? s.GetString()! : "";
        var server = sender.Contains(':') ? sender[(sender.IndexOf(':') + 1)..] : "none";
        Add("signatures", $$$"""{"{{{server}}}":{"ed25519:1":"AAAA"}}""");
        text[^1] = '}';
        return Pdu.ReadTrusted(CanonicalJson.Of(Encoding.UTF8.GetBytes(text.ToString())), version, json.GetProperty("event_id").GetString()!);

        void Add(string name, string value)
        {
            if (!json.TryGetProperty(name, out _)) text.Append('"').Append(name).Append("\":").Append(value).Append(',');
        }
    }
}

/// <summary>A state by key, for tests.</summary>
internal sealed class MapState(params IEnumerable<Pdu> events) : IStateView
{
    private readonly Dictionary<StateKey, Pdu> _events = events.ToDictionary(e => e.StatePair);

    public Pdu? Get(StateKey key) => _events.GetValueOrDefault(key);
}
