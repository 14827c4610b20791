using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>What docs/accounts.md counts with.</summary>
[Collection("alone")]
public sealed class LoginCostTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    [Fact]
    public async Task A_login_is_two_statements_and_its_first_request_one_more_however_many_follow()
    {
        var user = await api.RegisterUserAsync();
        // All that touches accounts; what the process asks by itself does not.
        using var sql = new CountedStatements(api.Database.Source.ConnectionString, text => text.ContainsAny(["users", "devices", "access_tokens", "threepids"]));
        var session = await api.LogInAsync(user);
        Assert.Equal(2, sql.All.Count);
        for (var i = 0; i < 10; i++) (await api.GetAsync(session, "/_matrix/client/v3/account/whoami")).RequireOk();
        Assert.Equal(3, sql.All.Count);
    }
}
