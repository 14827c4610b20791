using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Web.Json;

namespace Matrix.Sync.Sliding;

/// <summary>Reads the body of a request in either form, with the limits of the proposal.</summary>
internal sealed class SlidingRequestReader(string userId, bool isStable)
{
    private const int MaxLists = 100, MaxSubscriptions = 100, MaxPatterns = 200, MaxRanges = 20, MaxFilterValues = 200;
    private const int MaxTimelineLimit = 100, MaxMessages = 100;
    private const int MaxConnId = 255, MaxListName = 255;

    public SlidingRequest Read(JsonElement body, string deviceId)
    {
        var connId = body.StringOrNull("conn_id") ?? "";
        if (connId.Length > MaxConnId) throw Invalid("'conn_id' is too long");
        return new(userId, deviceId, connId, isStable, Lists(body), Subscriptions(body), Extensions(body));
    }

    private static MatrixException Invalid(string message) => MatrixError.InvalidParam(message).AsException();

    private List<SlidingList> Lists(JsonElement body)
    {
        var lists = new List<SlidingList>();
        foreach (var list in Members(body, "lists", MaxLists))
        {
            if (list.Name.Length is 0 or > MaxListName) throw Invalid("A list's name is empty or too long");
            if (isStable && !list.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '~' or '-'))
                throw Invalid("A list's name is no opaque identifier");
            lists.Add(new(list.Name, Config(list.Value), Ranges(list.Value), Filter(list.Value)));
        }
        return lists;
    }

    private Dictionary<string, RoomConfig> Subscriptions(JsonElement body) =>
        Members(body, "room_subscriptions", MaxSubscriptions).ToDictionary(m => m.Name, m => Config(m.Value), StringComparer.Ordinal);

    private static List<JsonProperty> Members(JsonElement body, string name, int most)
    {
        if (body.ObjectOrNull(name) is not { } of) return [];
        // As JSON has it, the last one of a name counts.
        var members = of.EnumerateObject().GroupBy(m => m.Name, StringComparer.Ordinal).Select(g => g.Last()).ToList();
        if (members.Count > most) throw Invalid($"'{name}' has more than {most} members");
        foreach (var m in members)
            if (m.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson($"Members of '{name}' must be objects").AsException();
        return members;
    }

    private RoomConfig Config(JsonElement of)
    {
        // Synapse: both are required of every list and subscription.
        var limit = of.IntOrNull("timeline_limit") ?? throw MatrixError.MissingParam("Missing 'timeline_limit'").AsException();
        if (limit < 0) throw Invalid("'timeline_limit' must not be negative");
        return new((int)Math.Min(limit, MaxTimelineLimit), Required(of));
    }

    private RequiredState Required(JsonElement of)
    {
        if (!of.TryGetProperty("required_state", out var value) || value.ValueKind == JsonValueKind.Null) throw MatrixError.MissingParam("Missing 'required_state'").AsException();
        if (value.ValueKind == JsonValueKind.Array) return OldRequired(value);
        if (value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'required_state' must be an object or a list").AsException();
        return RequiredState.Of(Patterns(value, "include"), Patterns(value, "exclude"), value.BoolOrNull("lazy_members") ?? false);
    }

    private List<StatePattern> Patterns(JsonElement of, string name)
    {
        var patterns = new List<StatePattern>();
        foreach (var element in Array(of, name, MaxPatterns) ?? [])
        {
            if (element.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson($"'{name}' must hold objects").AsException();
            patterns.Add(new(element.StringOrNull("type"), Me(element.StringOrNull("state_key"))));
        }
        return patterns;
    }

    /// <summary>Pairs of type and state key: <c>*</c> is anything, <c>$ME</c> the user, <c>$LAZY</c> asks for members as they are needed.</summary>
    private RequiredState OldRequired(JsonElement list)
    {
        if (list.GetArrayLength() > MaxPatterns) throw Invalid($"'required_state' has more than {MaxPatterns} elements");
        var patterns = new List<StatePattern>();
        var lazy = false;
        foreach (var element in list.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Array || element.GetArrayLength() != 2
                || element[0].ValueKind != JsonValueKind.String || element[1].ValueKind != JsonValueKind.String)
                throw MatrixError.BadJson("'required_state' must hold pairs of type and state key").AsException();
            var (type, key) = (element[0].GetString()!, element[1].GetString()!);
            if (key == "$LAZY" && type == EventTypes.Member) lazy = true;
            else patterns.Add(new(type == "*" ? null : type, key == "*" ? null : Me(key)));
        }
        return RequiredState.Of(patterns, [], lazy);
    }

    private string? Me(string? key) => key == "$ME" ? userId : key;

    private static (int, int)[]? Ranges(JsonElement list)
    {
        if (list.TryGetProperty("range", out var one) && one.ValueKind != JsonValueKind.Null) return [Range(one)];
        if (Array(list, "ranges", MaxRanges) is not { } ranges) return null;
        return [.. ranges.Select(Range)];
    }

    private static (int From, int To) Range(JsonElement range)
    {
        if (range.ValueKind != JsonValueKind.Array || range.GetArrayLength() != 2 || range[0].ValueKind != JsonValueKind.Number || range[1].ValueKind != JsonValueKind.Number
            || !range[0].TryGetInt32(out var from) || !range[1].TryGetInt32(out var to)
            || from < 0 || to < from)
            throw Invalid("A range must be two numbers, the smaller one first");
        return (from, to);
    }

    private RoomListFilter Filter(JsonElement list)
    {
        if (list.ObjectOrNull("filters") is not { } f) return RoomListFilter.All;
        return new(
            f.BoolOrNull("is_dm"), f.BoolOrNull("is_encrypted"), f.BoolOrNull(isStable ? "is_invited" : "is_invite"), Strings(f, "spaces"), Types(f, "room_types"),
            Types(f, "not_room_types") ?? [], Strings(f, "tags"), Strings(f, "not_tags") ?? []);
    }

    private static List<string>? Strings(JsonElement of, string name) =>
        Types(of, name) is { } strings ? strings.ConvertAll(s => s ?? throw MatrixError.BadJson($"'{name}' must hold strings").AsException()) : null;

    private static List<string?>? Types(JsonElement of, string name)
    {
        if (Array(of, name, MaxFilterValues) is not { } list) return null;
        return list.ConvertAll(e => e.ValueKind switch
        {
            JsonValueKind.String => e.GetString(),
            JsonValueKind.Null => null,
            _ => throw MatrixError.BadJson($"'{name}' must hold strings").AsException(),
        });
    }

    private static List<JsonElement>? Array(JsonElement of, string name, int most)
    {
        if (!of.TryGetProperty(name, out var list) || list.ValueKind == JsonValueKind.Null) return null;
        if (list.ValueKind != JsonValueKind.Array) throw MatrixError.BadJson($"'{name}' must be a list").AsException();
        if (list.GetArrayLength() > most) throw Invalid($"'{name}' has more than {most} elements");
        return [.. list.EnumerateArray()];
    }

    // ---------------------------------------------------------------- extensions

    private static List<ExtensionRequest> Extensions(JsonElement body)
    {
        var enabled = new List<ExtensionRequest>();
        if (body.ObjectOrNull("extensions") is not { } extensions) return enabled;
        foreach (var name in SlidingExtensions.Names)
        {
            if (extensions.ObjectOrNull(name) is not { } config || config.BoolOrNull("enabled") != true) continue;
            var (lists, rooms) = (Scope(config, "lists"), Scope(config, "rooms"));
            var limit = config.IntOrNull("limit") ?? MaxMessages;
            if (limit < 1) throw Invalid("'limit' must be positive");
            var options = new ExtensionOptions(Since(config), (int)Math.Min(limit, MaxMessages), config.BoolOrNull("include_roots") ?? false);
            enabled.Add(new(name, lists, rooms, Hash(lists, rooms), options));
        }
        return enabled;
    }

    private static HashSet<string>? Scope(JsonElement config, string name)
    {
        var names = Strings(config, name);
        return names is null || names.Contains("*") ? null : names.ToHashSet(StringComparer.Ordinal);
    }

    private static long? Since(JsonElement config)
    {
        if (config.StringOrNull("since") is not { Length: > 0 } text) return null;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var since)) throw Invalid("'since' is no token of to_device");
        return since;
    }

    private static string Hash(HashSet<string>? lists, HashSet<string>? rooms)
    {
        if (lists is null && rooms is null) return "";
        static string Text(HashSet<string>? names) => names is null ? "*" : string.Join('\n', names.Order(StringComparer.Ordinal));
        return Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes($"{Text(lists)}\n\n{Text(rooms)}")), 0, 9);
    }
}
