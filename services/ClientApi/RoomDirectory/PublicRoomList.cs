using System.Globalization;
using System.Text;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.RoomDirectory;
using Matrix.Storage.Rooms;

namespace Matrix.ClientApi.RoomDirectory;

/// <summary>What is wanted of the list of published rooms.</summary>
/// <param name="Term">Part of name, topic or alias, without regard to case; null: all.</param>
/// <param name="RoomTypes">Null: all. A null within it stands for rooms without a type.</param>
internal sealed record PublicRoomQuery(int Limit, string? Since, string? Term, IReadOnlyList<string?>? RoomTypes)
{
    public bool Filters => Term is not null || RoomTypes is not null;
}

/// <summary>A published room as the list shows it.</summary>
internal sealed record PublicRoom(PublishedRoom Room)
{
    public string? Name { get; set; }
    public string? Topic { get; set; }
    public string? CanonicalAlias { get; set; }
    public string? AvatarUrl { get; set; }
    public string? RoomType { get; set; }
    public string? JoinRule { get; set; }
    public bool WorldReadable { get; set; }
    public bool GuestCanJoin { get; set; }
}

internal sealed record PublicRoomPage(IReadOnlyList<PublicRoom> Rooms, string? NextBatch, string? PrevBatch, long TotalEstimate);

/// <summary>The published rooms of this server, largest first. A page token names the room to go on from, so any instance continues.</summary>
internal sealed class PublicRoomList(RoomDirectoryStore directory, RoomReader rooms)
{
    /// <summary>Rooms read at a time, and how many are looked at for one page: a rare search term must not read everything in one request.</summary>
    private const int Chunk = 200;
    private const int MaxScanned = 10_000;

    private static readonly StateKey[] Keys =
    [
        new(EventTypes.Name, ""), new(EventTypes.Topic, ""), new(EventTypes.CanonicalAlias, ""), new(EventTypes.Avatar, ""),
        new(EventTypes.Create, ""), new(EventTypes.JoinRules, ""), new(EventTypes.HistoryVisibility, ""), new(EventTypes.GuestAccess, ""),
    ];

    public async Task<PublicRoomPage> GetAsync(PublicRoomQuery query, CancellationToken ct)
    {
        var (backwards, joined, roomId) = ReadToken(query.Since);
        var page = new List<PublicRoom>(query.Limit);
        var more = false;
        PublishedRoom? edge = null;
        for (var scanned = 0; scanned < MaxScanned && !more; )
        {
            // One more than wanted tells whether there is a next page.
            var take = query.Filters ? Chunk : query.Limit + 1;
            var chunk = await directory.PublishedAsync(joined, roomId, backwards, take, ct);
            foreach (var room in await DescribeAsync(chunk, ct))
            {
                if (page.Count == query.Limit) { more = true; break; }
                edge = room.Room;
                if (Matches(room, query)) page.Add(room);
            }
            scanned += chunk.Count;
            if (chunk.Count < take) break;
            (joined, roomId) = (chunk[^1].JoinedMembers, chunk[^1].RoomId);
            if (!more && scanned >= MaxScanned) more = true;
        }
        if (backwards) page.Reverse();
        var (first, last) = backwards ? (more ? edge : null, page.Count > 0 ? page[^1].Room : null) : (page.Count > 0 ? page[0].Room : null, more ? edge : null);
        var next = last is null ? null : Token('f', last);
        var previous = first is null || (!backwards && query.Since is null) ? null : Token('b', first);
        return new PublicRoomPage(page, next, previous, query.Filters ? page.Count : await directory.CountPublishedAsync(ct));
    }

    private async Task<List<PublicRoom>> DescribeAsync(List<PublishedRoom> chunk, CancellationToken ct)
    {
        var described = chunk.ConvertAll(r => new PublicRoom(r));
        var byNid = described.ToDictionary(r => r.Room.RoomNid);
        foreach (var e in await rooms.CurrentStateAsync(byNid.Keys, Keys, ct)) Apply(byNid[e.RoomNid], e);
        return described;
    }

    private static void Apply(PublicRoom room, StoredEvent e)
    {
        var pdu = e.Pdu;
        switch (pdu.Type)
        {
            case EventTypes.Name: room.Name = pdu.ContentString("name"u8); break;
            case EventTypes.Topic: room.Topic = pdu.ContentString("topic"u8); break;
            case EventTypes.CanonicalAlias: room.CanonicalAlias = pdu.ContentString("alias"u8); break;
            case EventTypes.Avatar: room.AvatarUrl = pdu.ContentString("url"u8); break;
            case EventTypes.Create: room.RoomType = pdu.ContentString("type"u8); break;
            case EventTypes.JoinRules: room.JoinRule = pdu.ContentString("join_rule"u8); break;
            case EventTypes.HistoryVisibility: room.WorldReadable = pdu.ContentString("history_visibility"u8) == "world_readable"; break;
            case EventTypes.GuestAccess: room.GuestCanJoin = pdu.ContentString("guest_access"u8) == "can_join"; break;
        }
    }

    private static bool Matches(PublicRoom room, PublicRoomQuery query)
    {
        if (query.RoomTypes is { } types && !types.Contains(room.RoomType)) return false;
        return query.Term is not { } term
            || Contains(room.Name, term) || Contains(room.Topic, term) || Contains(room.CanonicalAlias, term);
    }

    private static bool Contains(string? text, string term) => text is not null && text.Contains(term, StringComparison.OrdinalIgnoreCase);

    private static string Token(char direction, PublishedRoom room) =>
        UnpaddedBase64.EncodeUrl(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{direction}{room.JoinedMembers} {room.RoomId}")));

    private static (bool Backwards, long Joined, string RoomId) ReadToken(string? token)
    {
        if (string.IsNullOrEmpty(token)) return (false, long.MaxValue, "");
        if (UnpaddedBase64.TryDecodeUrl(token, out var bytes))
        {
            var text = Encoding.UTF8.GetString(bytes);
            var space = text.IndexOf(' ', StringComparison.Ordinal);
            if (space > 1 && text[0] is 'f' or 'b' && long.TryParse(text.AsSpan(1, space - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var joined))
                return (text[0] == 'b', joined, text[(space + 1)..]);
        }
        throw MatrixError.InvalidParam("Invalid 'since' token.").AsException();
    }
}
