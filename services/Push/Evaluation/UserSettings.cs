using System.Text.Json;
using Matrix.Events;
using Matrix.Storage.Push;

namespace Matrix.Push.Evaluation;

/// <summary>What a user decided about being notified.</summary>
/// <param name="Ignored">Users whose events he does not want to see.</param>
internal sealed record UserSettings(PushRuleSet Rules, IReadOnlySet<string> Ignored)
{
    private static readonly HashSet<string> Nobody = [];
    public static readonly UserSettings Default = new(PushRuleSet.Default, Nobody);

    public UserSettings With(string type, ReadOnlySpan<byte> content) => type switch
    {
        "m.push_rules" => this with { Rules = PushRuleSet.Parse(content) ?? PushRuleSet.Default },
        "m.ignored_user_list" => this with { Ignored = ReadIgnored(content) },
        _ => this,
    };

    private static HashSet<string> ReadIgnored(ReadOnlySpan<byte> content)
    {
        try
        {
            var reader = new Utf8JsonReader(content);
            var root = JsonElement.ParseValue(ref reader);
            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("ignored_users", out var users) && users.ValueKind == JsonValueKind.Object
                ? [.. users.EnumerateObject().Select(u => u.Name)]
                : Nobody;
        }
        catch (JsonException)
        {
            return Nobody;
        }
    }
}

/// <summary>Settings of users with pushers here; read when first needed, forgotten when their account data change.</summary>
internal sealed class UserSettingsCache(PusherStore store)
{
    private const int MaxUsers = 50_000;
    private readonly Dictionary<string, UserSettings> known = new(StringComparer.Ordinal);

    public void Clear() => known.Clear();
    public void Forget(string userId) => known.Remove(userId);

    public async ValueTask<IReadOnlyDictionary<string, UserSettings>> OfAsync(IEnumerable<string> users, CancellationToken ct)
    {
        if (known.Count > MaxUsers) known.Clear();
        var missing = users.Where(u => !known.ContainsKey(u)).ToList();
        if (missing.Count == 0) return known;
        var data = await store.AccountDataAsync(missing, ct);
        foreach (var user in missing) known[user] = UserSettings.Default;
        foreach (var (user, type, content) in data) known[user] = known[user].With(type, content);
        return known;
    }
}
