using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>What docs/accounts.md counts with.</summary>
[Collection("alone")]
public sealed class RegistrationCostTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static readonly string[] Tables = ["users", "devices", "access_tokens", "uia_sessions", "registration_tokens", "profiles", "appservice"];

    [Fact]
    public async Task A_registration_in_one_request_is_one_statement()
    {
        await api.RegisterUserAsync();
        using var sql = new CountedStatements(api.Database.Source.ConnectionString, text => text.ContainsAny(Tables));
        await api.RegisterUserAsync();
        Assert.True(sql.All.Count == 1, string.Join("\n---\n", sql.All));
    }

    [Fact]
    public async Task A_registration_that_asks_first_is_four()
    {
        using var sql = new CountedStatements(api.Database.Source.ConnectionString, text => text.ContainsAny(Tables));
        var name = api.NewName();
        var session = (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = name, password = "secret" })).Text("session");
        (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = name, password = "secret", auth = new { type = "m.login.dummy", session } })).RequireOk();
        Assert.True(sql.All.Count == 4, string.Join("\n---\n", sql.All));
    }
}
