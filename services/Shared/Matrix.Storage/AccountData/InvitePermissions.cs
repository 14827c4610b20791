using System.Text.Json;

namespace Matrix.Storage.AccountData;

/// <summary>Account data m.invite_permission_config: who wants no invites. Spec: client-server-api/#invite-permission</summary>
public sealed class InvitePermissions(Database database)
{
    public const string Type = "m.invite_permission_config";

    internal const string SqlOfUsers =
        "select user_id, content from account_data where user_id = any($1) and room_id = '' and type = 'm.invite_permission_config' and not deleted";

    /// <summary>One of the users whose account lets nobody invite him; null: none of them. Users of other servers are asked there.</summary>
    public async Task<string?> FirstBlockingAsync(IReadOnlyCollection<string> users, CancellationToken ct)
    {
        if (users.Count == 0) return null;
        await using var command = database.Source.CreateCommand(SqlOfUsers);
        command.Parameters.AddWithValue(users.ToArray());
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) if (Blocks(r.GetFieldValue<byte[]>(1))) return r.GetString(0);
        return null;
    }

    /// <summary>Only <c>default_action: block</c> does; what makes no sense permits.</summary>
    public static bool Blocks(ReadOnlySpan<byte> content)
    {
        var reader = new Utf8JsonReader(content);
        if (content.IsEmpty || !reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals("default_action"u8);
            reader.Read();
            if (found) return reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("block"u8);
            reader.Skip();
        }
        return false;
    }
}
