using System.Text.Json;
using Matrix.Events;
using Matrix.Storage.AccountData;

namespace Matrix.Sync.Users;

/// <summary>
/// A user's account data by room id (empty: global) and type. A change comes as a row without content: the entry is stale until an answer has read it.
/// </summary>
internal sealed class AccountDataCache
{
    private readonly Dictionary<string, Dictionary<string, Entry>> rooms = new(StringComparer.Ordinal) { [""] = [] };

    internal sealed class Entry
    {
        /// <summary>Position of the newest change; 0: before <see cref="Floor"/>.</summary>
        public long Position { get; set; }
        public ReadOnlyMemory<byte> Content
        {
            get;
            set
            {
                field = value;
                Tags = null;
            }
        }

        /// <summary>Of m.tag, once somebody has asked.</summary>
        public IReadOnlySet<string>? Tags { get; set; }
        /// <summary>The content was changed after it was read.</summary>
        public bool IsStale { get; set; }
        /// <summary>An empty object stands for deleted data: told as a change, left out where all is told.</summary>
        public bool IsDeleted => Content.Span.SequenceEqual("{}"u8);
    }

    /// <summary>Changes after this position are known one by one.</summary>
    public long Floor { get; set; }
    /// <summary>Position of the newest change in stream account_data.</summary>
    public long Last { get; private set; }
    /// <summary>Entries whose content has to be read before it is used.</summary>
    public int Stale { get; private set; }
    public long Bytes { get; private set; }
    /// <summary>Users of m.ignored_user_list.</summary>
    public IReadOnlySet<string> Ignored { get; private set; } = Nothing;
    /// <summary>m.invite_permission_config says that nobody may invite.</summary>
    private bool BlocksInvites { get; set; }
    /// <summary>Whether an invite of this sender is told.</summary>
    public bool ShowsInviteOf(string sender) => !BlocksInvites && !Ignored.Contains(sender);
    /// <summary>Rooms of m.direct.</summary>
    public IReadOnlySet<string> Direct { get; private set; } = Nothing;
    /// <summary>The user's push rules: m.push_rules, or the default ones.</summary>
    public PushRuleSet PushRules { get; private set; } = PushRuleSet.Default;
    /// <summary>By type.</summary>
    public IReadOnlyDictionary<string, Entry> Global => rooms[""];
    /// <summary>By room id; empty: global.</summary>
    public IReadOnlyDictionary<string, Dictionary<string, Entry>> ByRoom => rooms;
    public IReadOnlyDictionary<string, Entry> OfRoom(string roomId) => rooms.GetValueOrDefault(roomId) ?? None;

    private static readonly HashSet<string> Nothing = [];
    private static readonly Dictionary<string, Entry> None = [];

    private Entry EntryOf(string roomId, string type)
    {
        if (!rooms.TryGetValue(roomId, out var types)) rooms[roomId] = types = new(StringComparer.Ordinal);
        if (!types.TryGetValue(type, out var entry)) types[type] = entry = new Entry();
        return entry;
    }

    public void Load(string roomId, string type, ReadOnlyMemory<byte> content)
    {
        var entry = EntryOf(roomId, type);
        Bytes += content.Length - entry.Content.Length + 128;
        entry.Content = content;
        if (entry.IsStale) Stale--;
        entry.IsStale = false;
        if (roomId.Length > 0) return;
        if (type == IgnoredUsersType) Ignored = ReadIgnored(content.Span);
        if (type == InvitePermissions.Type) BlocksInvites = InvitePermissions.Blocks(content.Span);
        if (type == DirectType) Direct = ReadDirect(content.Span);
        if (type == PushRulesType) PushRules = PushRuleSet.Parse(content.Span) ?? PushRuleSet.Default;
    }

    public const string PushRulesType = "m.push_rules";
    public const string IgnoredUsersType = "m.ignored_user_list";
    private const string DirectType = "m.direct";
    public const string TagType = "m.tag";

    public static readonly ReadOnlyMemory<byte> Deleted = "{}"u8.ToArray();

    public List<(string RoomId, string Type, long Position)> StaleEntries()
    {
        var stale = new List<(string, string, long)>(Stale);
        foreach (var (roomId, types) in rooms)
            foreach (var (type, entry) in types) if (entry.IsStale) stale.Add((roomId, type, entry.Position));
        return stale;
    }

    /// <summary>Content that was read for an answer: kept unless another change came in while it was read.</summary>
    public void Refresh(string roomId, string type, ReadOnlyMemory<byte> content, long knownPosition)
    {
        if (EntryOf(roomId, type).Position == knownPosition) Load(roomId, type, content);
    }

    public void Changed(long position, string roomId, string type)
    {
        var entry = EntryOf(roomId, type);
        entry.Position = position;
        if (!entry.IsStale) Stale++;
        entry.IsStale = true;
        Last = position;
    }

    /// <summary>Every string in the arrays of the content; anything malformed is left out. Spec: client-server-api/#mdirect</summary>
    private static HashSet<string> ReadDirect(ReadOnlySpan<byte> content)
    {
        var rooms = new HashSet<string>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(content);
        while (reader.Read())
            if (reader is { TokenType: JsonTokenType.String, CurrentDepth: 2 } && reader.GetString() is { Length: > 0 } room) rooms.Add(room);
        return rooms;
    }

    /// <summary>Tags of a room; anything malformed is none. Spec: client-server-api/#room-tagging</summary>
    public IReadOnlySet<string> TagsOf(string roomId)
    {
        if (!OfRoom(roomId).TryGetValue(TagType, out var entry)) return Nothing;
        return entry.Tags ??= KeysOf(entry.Content.Span, "tags"u8);
    }

    /// <summary>Keys of <c>ignored_users</c>; anything malformed ignores nobody. Spec: client-server-api/#mignored_user_list</summary>
    private static HashSet<string> ReadIgnored(ReadOnlySpan<byte> content) => KeysOf(content, "ignored_users"u8);

    /// <summary>Keys of an object in the content.</summary>
    private static HashSet<string> KeysOf(ReadOnlySpan<byte> content, ReadOnlySpan<byte> member)
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(content);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return keys;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var wanted = reader.ValueTextEquals(member);
            reader.Read();
            if (!wanted || reader.TokenType != JsonTokenType.StartObject) { reader.Skip(); continue; }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                keys.Add(reader.GetString()!);
                reader.Read();
                reader.Skip();
            }
        }
        return keys;
    }
}
