using System.Text.Json;

namespace Matrix.Sync.Users;

/// <summary>
/// A user's account data by room id (empty: global) and type. A change comes as a row without content: the entry is stale until an answer has read it.
/// </summary>
internal sealed class AccountDataCache
{
    private readonly Dictionary<(string RoomId, string Type), Entry> entries = [];

    internal sealed class Entry
    {
        /// <summary>Position of the newest change; 0: before <see cref="Floor"/>.</summary>
        public long Position { get; set; }
        public ReadOnlyMemory<byte> Content { get; set; }
        /// <summary>The content was changed after it was read.</summary>
        public bool IsStale { get; set; }
    }

    /// <summary>Changes after this position are known one by one.</summary>
    public long Floor { get; set; }
    /// <summary>Position of the newest change in stream account_data.</summary>
    public long Last { get; private set; }
    /// <summary>Floor and newest position in stream push_rules, which tells changes of m.push_rules.</summary>
    public long PushRulesFloor { get; set; }
    public long LastPushRules { get; set; }
    public long Bytes { get; private set; }
    public IReadOnlySet<string> Ignored { get; private set; } = NoUsers;
    public bool IsIgnoredStale { get; private set; }
    public IReadOnlyDictionary<(string RoomId, string Type), Entry> Entries => entries;

    private static readonly HashSet<string> NoUsers = [];

    public void Load(string roomId, string type, ReadOnlyMemory<byte> content)
    {
        if (!entries.TryGetValue((roomId, type), out var entry)) entries[(roomId, type)] = entry = new Entry();
        Bytes += content.Length - entry.Content.Length + 128;
        entry.Content = content;
        entry.IsStale = false;
        if (IsIgnoredList(roomId, type)) { Ignored = ReadIgnored(content.Span); IsIgnoredStale = false; }
    }

    /// <summary>Content that was read for an answer: kept unless another change came in while it was read.</summary>
    public void Refresh(string roomId, string type, ReadOnlyMemory<byte> content, long knownPosition)
    {
        if (entries.TryGetValue((roomId, type), out var entry) && entry.Position == knownPosition) Load(roomId, type, content);
    }

    public void Changed(long position, string roomId, string type)
    {
        if (!entries.TryGetValue((roomId, type), out var entry)) entries[(roomId, type)] = entry = new Entry();
        entry.Position = position;
        entry.IsStale = true;
        if (IsIgnoredList(roomId, type)) IsIgnoredStale = true;
        Last = position;
    }

    /// <summary>m.push_rules is account data that another stream announces.</summary>
    public void PushRulesChanged(long position)
    {
        if (!entries.TryGetValue(("", PushRulesType), out var entry)) entries[("", PushRulesType)] = entry = new Entry();
        entry.IsStale = true;
        LastPushRules = position;
    }

    public const string PushRulesType = "m.push_rules";

    private static bool IsIgnoredList(string roomId, string type) => roomId.Length == 0 && type == "m.ignored_user_list";

    /// <summary>Keys of <c>ignored_users</c>; anything malformed ignores nobody. Spec: client-server-api/#mignored_user_list</summary>
    private static HashSet<string> ReadIgnored(ReadOnlySpan<byte> content)
    {
        var users = new HashSet<string>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(content);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return users;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var wanted = reader.ValueTextEquals("ignored_users"u8);
            reader.Read();
            if (!wanted || reader.TokenType != JsonTokenType.StartObject) { reader.Skip(); continue; }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                users.Add(reader.GetString()!);
                reader.Read();
                reader.Skip();
            }
        }
        return users;
    }
}
