namespace Matrix.Storage.Accounts;

/// <summary>Accounts whose events are shown to newcomers in redacted form only.</summary>
public sealed class ErasedUserReader(Database database)
{
    internal const string SqlAll = "select user_id from users where erased";

    /// <summary>User ids.</summary>
    public async Task<List<string>> AllAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAll);
        await using var r = await command.ExecuteReaderAsync(ct);
        var users = new List<string>();
        while (await r.ReadAsync(ct)) users.Add(r.GetString(0));
        return users;
    }
}
