using System.Globalization;
using System.Text;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Search;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Search;

/// <summary>A search of room events, read and checked. Spec: openapi/client-server/search.yaml</summary>
/// <param name="Query">Null: the term holds nothing to search for.</param>
/// <param name="Context">Events before and after each result; null: none wanted.</param>
internal sealed record SearchRequest(
    SearchQuery? Query, IReadOnlyList<SearchKind> Kinds, EventFilter Filter, bool ByRank, SearchContext? Context, bool IncludeState, bool GroupByRoom,
    bool GroupBySender, int Limit, SearchToken Token)
{
    // Synapse: the same sizes.
    private const int DefaultLimit = 10;
    private const int MaxLimit = 50;
    private const int MaxTerm = 1_000;

    public static SearchRequest Read(JsonElement o, string? nextBatch)
    {
        var term = o.RequiredString("search_term");
        if (term.Length > MaxTerm) throw MatrixError.InvalidParam($"'search_term' is longer than {MaxTerm} characters").AsException();
        var filter = EventFilter.All;
        if (o.ObjectOrNull("filter") is { } f)
        {
            var (parsed, fault) = Events.Filter.ParseEventFilter(Encoding.UTF8.GetBytes(f.GetRawText()));
            filter = parsed ?? throw MatrixError.InvalidParam(fault ?? "Invalid 'filter'").AsException();
        }
        var (byRoom, bySender) = Groups(o);
        return new SearchRequest(
            SearchTokens.Parse(term), Keys(o), filter, OrderIsRank(o), SearchContext.Read(o), o.BoolOrNull("include_state") ?? false, byRoom, bySender,
            Math.Clamp(filter.Limit ?? DefaultLimit, 1, MaxLimit), SearchToken.Read(nextBatch));
    }

    private static bool OrderIsRank(JsonElement o) => o.StringOrNull("order_by") switch
    {
        null or "rank" => true,
        "recent" => false,
        _ => throw MatrixError.InvalidParam("'order_by' must be 'rank' or 'recent'").AsException(),
    };

    private static List<SearchKind> Keys(JsonElement o)
    {
        if (o.ArrayOrNull("keys") is not { } keys) return [SearchKind.Body, SearchKind.Name, SearchKind.Topic];
        var kinds = new List<SearchKind>();
        foreach (var key in keys.EnumerateArray())
            kinds.Add(key.ValueKind == JsonValueKind.String ? key.GetString() switch
            {
                "content.body" => SearchKind.Body,
                "content.name" => SearchKind.Name,
                "content.topic" => SearchKind.Topic,
                _ => throw MatrixError.InvalidParam("'keys' holds something that cannot be searched").AsException(),
            } : throw MatrixError.BadJson("'keys' must hold strings").AsException());
        return kinds;
    }

    private static (bool Room, bool Sender) Groups(JsonElement o)
    {
        var (room, sender) = (false, false);
        if (o.ObjectOrNull("groupings")?.ArrayOrNull("group_by") is not { } list) return (room, sender);
        foreach (var group in list.EnumerateArray())
        {
            if (group.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'group_by' must hold objects").AsException();
            switch (group.RequiredString("key"))
            {
                case "room_id": room = true; break;
                case "sender": sender = true; break;
                default: throw MatrixError.InvalidParam("Groups are by 'room_id' or 'sender'").AsException();
            }
        }
        return (room, sender);
    }
}

/// <summary>How much of the surroundings of each result is wanted.</summary>
internal sealed record SearchContext(int Before, int After, bool IncludeProfile)
{
    private const int Default = 5;
    private const int Max = 50;

    public static SearchContext? Read(JsonElement o) => o.ObjectOrNull("event_context") is not { } context ? null
        : new SearchContext(Limit(context, "before_limit"), Limit(context, "after_limit"), context.BoolOrNull("include_profile") ?? false);

    private static int Limit(JsonElement o, string name) => o.IntOrNull(name) switch
    {
        null => Default,
        < 0 => throw MatrixError.InvalidParam($"'{name}' must not be negative").AsException(),
        var n => (int)Math.Min(n.Value, Max),
    };
}

/// <summary>The last hit that was looked at, and the group that is gone through.</summary>
/// <param name="RoomId">Only this room; null: all.</param>
/// <param name="Sender">Only this sender; null: all.</param>
internal sealed record SearchToken(double Rank, long Position, string? RoomId, string? Sender)
{
    private static readonly SearchToken First = new(double.PositiveInfinity, long.MaxValue, null, null);

    public bool IsFirst => double.IsInfinity(Rank);

    public override string ToString() => UnpaddedBase64.EncodeUrl(Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"q1 {Rank:R} {Position} {RoomId ?? "-"} {Sender ?? "-"}")));

    public static SearchToken Read(string? text)
    {
        if (string.IsNullOrEmpty(text)) return First;
        if (UnpaddedBase64.TryDecodeUrl(text, out var bytes) && Encoding.UTF8.GetString(bytes).Split(' ', 5) is ["q1", var rank, var position, var room, var sender]
            && double.TryParse(rank, NumberStyles.Float, CultureInfo.InvariantCulture, out var r) && double.IsFinite(r)
            && long.TryParse(position, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var at))
            return new SearchToken(r, at, room == "-" ? null : room, sender == "-" ? null : sender);
        throw MatrixError.InvalidParam("Invalid 'next_batch' token").AsException();
    }
}
