using System.Text.Json;

namespace Matrix.Storage.AccountData;

/// <summary>Account data m.ignored_user_list. Spec: client-server-api/#ignoring-users</summary>
public static class IgnoredUsers
{
    public const string Type = "m.ignored_user_list";
    private static readonly HashSet<string> None = [];

    /// <summary>User ids of the content; none when there is none or it makes no sense.</summary>
    public static IReadOnlySet<string> Read(ReadOnlySpan<byte> content)
    {
        if (content.IsEmpty) return None;
        var reader = new Utf8JsonReader(content);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return None;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals("ignored_users"u8);
            reader.Read();
            if (found && reader.TokenType == JsonTokenType.StartObject) return Members(ref reader);
            reader.Skip();
        }
        return None;
    }

    private static HashSet<string> Members(ref Utf8JsonReader reader)
    {
        var users = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            users.Add(reader.GetString()!);
            reader.Read();
            reader.Skip();
        }
        return users;
    }
}
