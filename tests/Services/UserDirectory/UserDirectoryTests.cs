using System.Text.Json;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Following;
using Matrix.Storage.Streams;
using Matrix.Testing;
using Matrix.Testing.Servers;
using Matrix.UserDirectory;
using Matrix.UserDirectory.Index;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.UserDirectory;

public sealed class UserDirectoryTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private static readonly TestServer Here = TestServer.Named(ServiceHost.ServerName);
    private static int counter;
    private readonly string unique = $"u{Interlocked.Increment(ref counter)}x";
    private ServiceHost host = null!;

    public async ValueTask InitializeAsync() => host = await StartAsync();

    private Task<ServiceHost> StartAsync() => ServiceHost.StartAsync(postgres.ConnectionString, b => b.AddUserDirectory(), e => e.MapUserDirectory());

    public async ValueTask DisposeAsync() => await host.DisposeAsync();

    private TestUser Name(string localpart) => Here.User(unique + localpart);

    /// <summary>A user as registration leaves it.</summary>
    private async Task<TestUser> UserAsync(string localpart, string? displayName = null, string? avatar = null)
    {
        var user = Name(localpart);
        await SetAsync(user, displayName, avatar);
        return user;
    }

    private async Task SetAsync(TestUser user, string? displayName, string? avatar = null, bool deactivated = false)
    {
        await using var command = postgres.Source.CreateCommand(
            "insert into users (user_id, created_ts_ms, deactivated) values ($1, 0, $2) on conflict (user_id) do update set deactivated = excluded.deactivated");
        command.Parameters.AddWithValue(user.Id);
        command.Parameters.AddWithValue(deactivated);
        await command.ExecuteNonQueryAsync();
        await using var profile = postgres.Source.CreateCommand(
            """
            insert into profiles (user_id, displayname, avatar_url) values ($1, $2, $3)
            on conflict (user_id) do update set displayname = excluded.displayname, avatar_url = excluded.avatar_url
            """);
        profile.Parameters.AddWithValue(user.Id);
        profile.Parameters.AddWithValue((object?)displayName ?? DBNull.Value);
        profile.Parameters.AddWithValue((object?)avatar ?? DBNull.Value);
        await profile.ExecuteNonQueryAsync();
        await StreamCounters.AppendAsync(postgres.Database, Replication.Streams.UserDirectory, [(user.Id, default)], CancellationToken.None);
    }

    private async Task<JsonElement> SearchAsync(TestUser searcher, string term, int? limit = null, ServiceHost? at = null)
    {
        at ??= host;
        var positions = await at.AnnounceAsync();
        var follower = at.Services.GetRequiredKeyedService<DutyFollower>(typeof(DirectoryDuty));
        foreach (var stream in follower.Streams) await follower.WaitForAsync(stream, positions[stream], TestContext.Current.CancellationToken);
        var (status, body) = await at.JsonAsync(HttpMethod.Post, "/_matrix/client/v3/user_directory/search", searcher,
            JsonSerializer.Serialize(new { search_term = term, limit = limit ?? 10 }));
        Assert.True(status == 200, body.GetRawText());
        return body;
    }

    private async Task<string[]> FindAsync(TestUser searcher, string term, ServiceHost? at = null) =>
        [.. (await SearchAsync(searcher, term, at: at)).GetProperty("results").EnumerateArray().Select(r => r.GetProperty("user_id").GetString()!)];

    [Fact]
    public async Task Who_shares_a_room_is_found_and_strangers_are_not()
    {
        var (alice, bob, stranger) = (await UserAsync("alice"), await UserAsync("bob", "Robert " + unique, "mxc://x/y"), await UserAsync("carol"));
        await Room.Version("11").With(alice, bob).SaveAsync(postgres.Database);
        Assert.Equal([bob.Id], await FindAsync(alice, unique + "b"));
        var result = Assert.Single((await SearchAsync(alice, "robert " + unique)).GetProperty("results").EnumerateArray());
        Assert.Equal("Robert " + unique, result.GetProperty("display_name").GetString());
        Assert.Equal("mxc://x/y", result.GetProperty("avatar_url").GetString());
        Assert.Empty(await FindAsync(stranger, unique + "b"));
        Assert.Empty(await FindAsync(alice, unique + "carol"));
    }

    [Fact]
    public async Task Members_of_public_rooms_are_found_by_everybody_until_the_room_closes()
    {
        var (alice, stranger) = (await UserAsync("alice"), await UserAsync("stranger"));
        var room = Room.Version("11").Public().With(alice);
        await room.SaveAsync(postgres.Database);
        Assert.Equal([alice.Id], await FindAsync(stranger, unique + "alice"));
        await room.Set(alice, "m.room.join_rules", """{"join_rule":"invite"}""").SaveAsync(postgres.Database);
        Assert.Empty(await FindAsync(stranger, unique + "alice"));
        await room.Set(alice, "m.room.history_visibility", """{"history_visibility":"world_readable"}""").SaveAsync(postgres.Database);
        Assert.Equal([alice.Id], await FindAsync(stranger, unique + "alice"));
    }

    [Fact]
    public async Task Who_leaves_the_last_common_room_is_no_longer_found()
    {
        var (alice, bob) = (await UserAsync("alice"), await UserAsync("bob"));
        var room = Room.Version("11").With(alice, bob);
        await room.SaveAsync(postgres.Database);
        Assert.Equal([bob.Id], await FindAsync(alice, unique + "bob"));
        await room.Leave(bob).SaveAsync(postgres.Database);
        Assert.Empty(await FindAsync(alice, unique + "bob"));
    }

    [Fact]
    public async Task A_new_name_is_found_and_the_old_one_is_not()
    {
        var (alice, bob) = (await UserAsync("alice"), await UserAsync("bob", "Old" + unique));
        await Room.Version("11").With(alice, bob).SaveAsync(postgres.Database);
        Assert.Equal([bob.Id], await FindAsync(alice, "old" + unique));
        await SetAsync(bob, "New" + unique);
        Assert.Empty(await FindAsync(alice, "old" + unique));
        Assert.Equal([bob.Id], await FindAsync(alice, "NEW" + unique));
        await SetAsync(bob, "New" + unique, deactivated: true);
        Assert.Empty(await FindAsync(alice, "new" + unique));
    }

    [Fact]
    public async Task Letters_are_found_in_whatever_form_they_are_written()
    {
        var (alice, bob) = (await UserAsync("alice"), await UserAsync("bob", "Ｆｕｌｌ" + unique + " Jo\u0308rg"));
        await Room.Version("11").With(alice, bob).SaveAsync(postgres.Database);
        Assert.Equal([bob.Id], await FindAsync(alice, "full" + unique));
        Assert.Equal([bob.Id], await FindAsync(alice, "ＦＵＬＬ" + unique + " j\u00f6rg"));
    }

    [Fact]
    public async Task Remote_members_are_found_by_their_names_in_rooms()
    {
        var alice = await UserAsync("alice");
        var remote = TestServer.Named("remote.example").User(unique + "dave");
        var room = Room.Version("11").Public().With(alice);
        room.Set(remote, "m.room.member", $$"""{"membership":"join","displayname":"Sailor {{unique}}"}""", remote.Id);
        await room.SaveAsync(postgres.Database);
        Assert.Equal([remote.Id], await FindAsync(alice, "sailor " + unique));
    }

    [Fact]
    public async Task A_start_without_a_saved_position_finds_everything_that_was_there_before()
    {
        var (alice, bob) = (await UserAsync("alice"), await UserAsync("bob", "Before " + unique));
        await Room.Version("11").Public().With(alice, bob).SaveAsync(postgres.Database);
        Assert.Equal([bob.Id], await FindAsync(alice, "before " + unique));
        await host.DisposeAsync();
        await using (var command = postgres.Source.CreateCommand(
            "delete from stream_cursors; truncate user_directory, directory_public_rooms")) await command.ExecuteNonQueryAsync();
        host = await StartAsync();
        Assert.Equal([bob.Id], await FindAsync(alice, "before " + unique));
        Assert.Equal([bob.Id], await FindAsync(await UserAsync("late"), "before " + unique));
    }

    [Fact]
    public async Task What_was_written_while_nobody_followed_is_found_after_a_restart()
    {
        var alice = await UserAsync("alice");
        Assert.Empty(await FindAsync(alice, unique + "bob"));
        await host.DisposeAsync();
        var bob = await UserAsync("bob");
        await Room.Version("11").With(alice, bob).SaveAsync(postgres.Database);
        host = await StartAsync();
        Assert.Equal([bob.Id], await FindAsync(alice, unique + "bob"));
    }

    [Fact]
    public async Task Rows_that_were_pruned_before_they_were_read_lead_to_a_rebuild()
    {
        var alice = await UserAsync("alice");
        Assert.Empty(await FindAsync(alice, unique + "bob"));
        await host.DisposeAsync();
        var bob = await UserAsync("bob");
        await Room.Version("11").With(alice, bob).SaveAsync(postgres.Database);
        await using (var command = postgres.Source.CreateCommand(
            """
            delete from stream_rows where stream = 'user_directory';
            insert into stream_retained (stream, min_pos) select stream, pos from stream_counters where stream = 'user_directory'
            on conflict (stream) do update set min_pos = excluded.min_pos
            """)) await command.ExecuteNonQueryAsync();
        host = await StartAsync();
        Assert.Equal([bob.Id], await FindAsync(alice, unique + "bob"));
    }

    [Fact]
    public async Task A_limited_answer_says_so_and_whole_names_come_first()
    {
        var (alice, ann, anna) = (await UserAsync("alice"), await UserAsync("ann"), await UserAsync("anna", "Anna", "mxc://a/b"));
        await Room.Version("11").With(alice, ann, anna).SaveAsync(postgres.Database);
        Assert.Equal([ann.Id, anna.Id], await FindAsync(alice, unique + "ann"));
        var one = await SearchAsync(alice, unique + "ann", limit: 1);
        Assert.Equal((1, true), (one.GetProperty("results").GetArrayLength(), one.GetProperty("limited").GetBoolean()));
        Assert.False((await SearchAsync(alice, unique + "ann", limit: 2)).GetProperty("limited").GetBoolean());
    }

    [Theory]
    [InlineData("{}", "M_MISSING_PARAM")]
    [InlineData("{\"search_term\":1}", "M_BAD_JSON")]
    [InlineData("{\"search_term\":\"a\",\"limit\":\"x\"}", "M_BAD_JSON")]
    [InlineData("[]", "M_BAD_JSON")]
    [InlineData("{\"search_term\":\"\\ud83d\"}", "M_BAD_JSON")]
    public async Task A_search_that_is_none_is_refused(string json, string code)
    {
        var (status, body) = await host.JsonAsync(HttpMethod.Post, "/_matrix/client/r0/user_directory/search", "@a:test.example", json);
        Assert.Equal((400, code), (status, body.GetProperty("errcode").GetString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("'; drop table users; --")]
    [InlineData("\\ ' & | ! <-> :*")]
    [InlineData("@")]
    public async Task Whatever_is_typed_is_only_searched_for(string term) => Assert.Empty(await FindAsync(await UserAsync("alice"), term));

    [Fact]
    public async Task A_search_wants_a_token() =>
        Assert.Equal(401, (await host.JsonAsync(HttpMethod.Post, "/_matrix/client/v3/user_directory/search", null, "{}")).Status);
}
