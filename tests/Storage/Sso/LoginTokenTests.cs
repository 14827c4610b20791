using Matrix.Storage.Accounts;
using Matrix.Testing.Servers;
using Matrix.Testing.Time;

namespace Matrix.StorageTests.Sso;

public class LoginTokenTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private const string Alice = "@alice:test.example";
    private readonly ManualTime clock = new();

    private LoginTokenStore Tokens => new(postgres.Database, clock);

    [Fact]
    public async Task A_token_is_taken_once_whoever_comes_first()
    {
        var token = await Tokens.CreateAsync(new LoginToken(Alice, "oidc-hub", "s1"), LoginTokenStore.DefaultLifetime, default);
        var taken = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Tokens.ConsumeAsync(token, default)));
        Assert.Equal(new LoginToken(Alice, "oidc-hub", "s1"), Assert.Single(taken, t => t is not null));
        Assert.Null(await Tokens.ConsumeAsync(token, default));
    }

    [Fact]
    public async Task A_token_ends_with_its_time()
    {
        var token = await Tokens.CreateAsync(Alice, LoginTokenStore.DefaultLifetime, default);
        clock.Advance(LoginTokenStore.DefaultLifetime);
        Assert.Null(await Tokens.ConsumeAsync(token, default));
    }

    [Fact]
    public async Task The_text_of_a_token_is_not_in_the_database()
    {
        var token = await Tokens.CreateAsync(Alice, LoginTokenStore.DefaultLifetime, default);
        await using var command = postgres.Source.CreateCommand("select count(*) from login_tokens l where l::text like '%' || $1 || '%'");
        command.Parameters.AddWithValue(Convert.ToHexStringLower(System.Text.Encoding.ASCII.GetBytes(token)));
        Assert.Equal(0L, await command.ExecuteScalarAsync());
        Assert.Null(await Tokens.ConsumeAsync(token + "x", default));
        Assert.NotNull(await Tokens.ConsumeAsync(token, default));
    }
}
