using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationInbound;
using Matrix.Primitives;
using Matrix.ServiceTests.Hosting;
using Matrix.Testing.Federation;
using Matrix.Testing.Servers;
using Matrix.Web.Auth;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Federation;

public sealed class FederationInboundTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private const string Profile = "/_matrix/federation/v1/query/profile?user_id=%40alice%3Atest.example";
    private ServiceHost host = null!;
    private FakeRemoteServer remote = null!;

    public async ValueTask InitializeAsync()
    {
        await using (var command = postgres.Source.CreateCommand(
            """
            insert into users (user_id, created_ts_ms) values ('@alice:test.example', 0), ('@fields:test.example', 0) on conflict do nothing;
            insert into profiles (user_id, displayname, fields) values ('@fields:test.example', 'F', convert_to('{"m.tz":"Europe/London","org.x":[1]}', 'UTF8')) on conflict do nothing;
            insert into profiles (user_id, displayname, avatar_url) values ('@alice:test.example', 'Alice ⛵', 'mxc://test.example/a') on conflict do nothing;
            insert into room_aliases (alias, room_id, creator, created_ts_ms) values ('#harbour:test.example', '!r:test.example', '@alice:test.example', 0) on conflict do nothing
            """))
            await command.ExecuteNonQueryAsync();
        remote = await FakeRemoteServer.StartAsync();
        host = await StartAsync();
    }

    private Task<ServiceHost> StartAsync(Func<ServiceDefaults.HomeserverConfig, ServiceDefaults.HomeserverConfig>? more = null) => ServiceHost.StartAsync(
        postgres.ConnectionString, b => b.AddFederationInbound(), e => e.MapFederationInbound(),
        c => (more ?? (x => x))(c with { FederationVerifyCertificates = false }));

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await remote.DisposeAsync();
    }

    private async Task<(int Status, JsonElement Body)> AskAsync(string target, string? authorization, ServiceHost? other = null)
    {
        var (status, body) = await (other ?? host).RawAsync("GET " + target, authorization is null ? "" : $"Authorization: {authorization}\r\n");
        return (status, JsonDocument.Parse(body).RootElement.Clone());
    }

    private Task<(int Status, JsonElement Body)> AskSignedAsync(string target, ServiceHost? other = null) =>
        AskAsync(target, remote.Authorize(ServiceHost.ServerName, "GET", target), other);

    private static string? Code((int, JsonElement Body) answer) => answer.Body.TryGetProperty("errcode", out var code) ? code.GetString() : null;

    [Theory]
    [InlineData("/_matrix/key/v2/server")]
    [InlineData("/_matrix/key/v2/server/ed25519:auto")]
    public async Task Own_keys_are_served_and_signed_by_themselves(string path)
    {
        var (status, keys) = await host.JsonAsync(HttpMethod.Get, path);
        Assert.Equal(200, status);
        Assert.Equal(ServiceHost.ServerName, keys.GetProperty("server_name").GetString());
        Assert.Equal(JsonValueKind.Object, keys.GetProperty("old_verify_keys").ValueKind);
        Assert.True(keys.GetProperty("valid_until_ts").GetInt64() > DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeMilliseconds());
        var key = keys.GetProperty("verify_keys").GetProperty(host.Identity.Key.KeyId).GetProperty("key").GetString()!;
        Assert.Equal(UnpaddedBase64.Encode(host.Identity.Key.PublicKey), key);
        Assert.True(EventSigning.VerifyJson(
            Encoding.UTF8.GetBytes(keys.GetRawText()), ServiceHost.ServerName, host.Identity.Key.KeyId, host.Identity.Key.PublicKey, Ed25519.Default));
    }

    [Fact]
    public async Task A_query_for_keys_knows_this_server_only()
    {
        var bulk = await host.JsonAsync(HttpMethod.Post, "/_matrix/key/v2/query", null,
            """{"server_keys":{"test.example":{"ed25519:auto":{"minimum_valid_until_ts":1}},"other.example":{}}}""");
        Assert.Equal("test.example", Assert.Single(bulk.Body.GetProperty("server_keys").EnumerateArray()).GetProperty("server_name").GetString());
        Assert.Equal(1, (await host.JsonAsync(HttpMethod.Get, "/_matrix/key/v2/query/test.example")).Body.GetProperty("server_keys").GetArrayLength());
        Assert.Equal(0, (await host.JsonAsync(HttpMethod.Get, "/_matrix/key/v2/query/other.example")).Body.GetProperty("server_keys").GetArrayLength());
    }

    [Theory]
    [InlineData("{}", "M_MISSING_PARAM")]
    [InlineData("[]", "M_BAD_JSON")]
    [InlineData("{\"server_keys\":{\"a\":1}}", "M_BAD_JSON")]
    [InlineData("{", "M_NOT_JSON")]
    public async Task A_query_for_keys_that_is_none_is_refused(string json, string code)
    {
        var (status, body) = await host.JsonAsync(HttpMethod.Post, "/_matrix/key/v2/query", null, json);
        Assert.Equal((400, code), (status, body.GetProperty("errcode").GetString()));
    }

    [Fact]
    public async Task The_version_is_told_to_everybody()
    {
        var (status, body) = await host.JsonAsync(HttpMethod.Get, "/_matrix/federation/v1/version");
        Assert.Equal((200, "Armada"), (status, body.GetProperty("server").GetProperty("name").GetString()));
    }

    [Fact]
    public async Task What_is_not_done_yet_is_unrecognized_whoever_asks()
    {
        Assert.Equal((404, "M_UNRECOGNIZED"), Short(await AskAsync("/_matrix/federation/v1/nothing/here", null)));
        Assert.Equal((404, "M_UNRECOGNIZED"), Short(await AskSignedAsync("/_matrix/federation/v1/nothing/here/either")));
    }

    private static (int, string?) Short((int Status, JsonElement Body) answer) => (answer.Status, Code(answer));

    [Fact]
    public async Task A_signed_question_is_answered_and_keys_are_asked_for_once()
    {
        var answer = await AskSignedAsync(Profile);
        Assert.Equal("Alice ⛵", answer.Body.GetProperty("displayname").GetString());
        var one = await AskSignedAsync(Profile + "&field=avatar_url");
        Assert.Equal("""{"avatar_url":"mxc://test.example/a"}""", one.Body.GetRawText());
        Assert.Equal(["GET /_matrix/key/v2/server"], remote.Requests);
        // Another process finds the key in the database, though the server is gone.
        await remote.DisposeAsync();
        await using var second = await StartAsync();
        Assert.Equal(200, (await AskSignedAsync(Profile, second)).Status);
    }

    [Fact]
    public async Task The_signature_is_over_the_target_as_it_was_sent()
    {
        var encoded = "/_matrix/federation/v1/query/profile?user_id=%40alice:test.example";
        var authorization = remote.Authorize(ServiceHost.ServerName, "GET", encoded);
        Assert.Equal(200, (await AskAsync(encoded, authorization)).Status);
        Assert.Equal((401, "M_UNAUTHORIZED"), Short(await AskAsync(Profile, authorization)));
    }

    [Fact]
    public async Task Who_does_not_prove_who_he_is_gets_nothing()
    {
        Assert.Equal((401, "M_UNAUTHORIZED"), Short(await AskAsync(Profile, null)));
        Assert.Equal((401, "M_UNAUTHORIZED"), Short(await AskAsync(Profile, "X-Matrix origin=o")));
        Assert.Equal((401, "M_UNAUTHORIZED"), Short(await AskAsync(Profile, remote.Authorize("elsewhere.example", "GET", Profile))));
        Assert.Equal((401, "M_UNAUTHORIZED"), Short(await AskAsync(Profile, remote.Authorize(ServiceHost.ServerName, "POST", Profile))));
        Assert.Equal((401, "M_UNAUTHORIZED"), Short(await AskAsync(Profile,
            remote.Authorize(ServiceHost.ServerName, "GET", Profile, with: FakeRemoteServer.NewKey(remote.Key.KeyId)))));
        Assert.Equal((401, "M_UNAUTHORIZED"), Short(await AskAsync(Profile,
            remote.Authorize(ServiceHost.ServerName, "GET", Profile).Replace(remote.Name, ServiceHost.ServerName, StringComparison.Ordinal))));
    }

    [Fact]
    public async Task One_good_signature_of_several_is_enough()
    {
        var bad = remote.Authorize(ServiceHost.ServerName, "GET", Profile, with: FakeRemoteServer.NewKey("ed25519:old"));
        var good = remote.Authorize(ServiceHost.ServerName, "GET", Profile);
        var (status, _) = await host.RawAsync("GET " + Profile, $"Authorization: {bad}\r\nAuthorization: {good}\r\n");
        Assert.Equal(200, status);
    }

    [Fact]
    public async Task A_key_document_that_its_key_did_not_sign_is_not_believed()
    {
        remote.KeysSignedBy = FakeRemoteServer.NewKey(remote.Key.KeyId);
        Assert.Equal(401, (await AskSignedAsync(Profile)).Status);
    }

    [Fact]
    public async Task A_key_that_has_expired_signs_no_more()
    {
        remote.KeysValidUntilMs = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeMilliseconds();
        Assert.Equal(401, (await AskSignedAsync(Profile)).Status);
    }

    [Fact]
    public async Task A_server_outside_the_whitelist_is_refused()
    {
        await using var closed = await StartAsync(c => c with { FederationDomainWhitelist = ["friend.example"] });
        Assert.Equal((403, "M_FORBIDDEN"), Short(await AskSignedAsync(Profile, closed)));
    }

    [Fact]
    public async Task A_blocked_address_is_not_asked_for_keys()
    {
        await using var guarded = await StartAsync(c => c with { IpRangeBlacklist = ["127.0.0.0/8", "::1/128"] });
        Assert.Equal(401, (await AskSignedAsync(Profile, guarded)).Status);
        Assert.Empty(remote.Requests);
    }

    [Fact]
    public async Task Certificates_are_verified_against_the_configured_authorities()
    {
        await using var strict = await StartAsync(c => c with { FederationVerifyCertificates = true });
        Assert.Equal(401, (await AskSignedAsync(Profile, strict)).Status);
        Assert.Empty(remote.Requests);
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, remote.CertificatePem);
            await using var trusting = await StartAsync(c => c with { FederationVerifyCertificates = true, FederationCustomCaList = [file] });
            Assert.Equal(200, (await AskSignedAsync(Profile, trusting)).Status);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Openid_tokens_of_this_server_tell_their_user_to_anybody()
    {
        const string Path = "/_matrix/federation/v1/openid/userinfo";
        var token = host.Services.GetRequiredService<OpenIdTokens>().Issue(new UserId("@alice:test.example"));
        var (status, body) = await AskAsync($"{Path}?access_token={token}", null);
        Assert.Equal((200, """{"sub":"@alice:test.example"}"""), (status, body.GetRawText()));
        Assert.Equal((401, "M_UNKNOWN_TOKEN"), Short(await AskAsync($"{Path}?access_token=x{token}", null)));
        Assert.Equal((401, "M_MISSING_TOKEN"), Short(await AskAsync(Path, null)));
    }

    [Theory]
    [InlineData("", """{"displayname":"F","m.tz":"Europe/London","org.x":[1]}""")]
    [InlineData("&field=displayname", """{"displayname":"F"}""")]
    [InlineData("&field=m.tz", """{"m.tz":"Europe/London"}""")]
    [InlineData("&field=m.none", "{}")]
    public async Task Other_servers_are_told_all_fields_of_a_profile(string query, string expected) =>
        Assert.Equal(expected, (await AskSignedAsync("/_matrix/federation/v1/query/profile?user_id=@fields:test.example" + query)).Body.GetRawText());

    [Fact]
    public async Task Profiles_and_aliases_of_this_server_are_found()
    {
        Assert.Equal((404, "M_NOT_FOUND"), Short(await AskSignedAsync("/_matrix/federation/v1/query/profile?user_id=@nobody:test.example")));
        Assert.Equal((400, "M_INVALID_PARAM"), Short(await AskSignedAsync("/_matrix/federation/v1/query/profile?user_id=@a:other.example")));
        Assert.Equal((400, "M_MISSING_PARAM"), Short(await AskSignedAsync("/_matrix/federation/v1/query/profile")));
        var alias = await AskSignedAsync("/_matrix/federation/v1/query/directory?room_alias=%23harbour:test.example");
        Assert.Equal("""{"room_id":"!r:test.example","servers":["test.example"]}""", alias.Body.GetRawText());
        Assert.Equal((404, "M_NOT_FOUND"), Short(await AskSignedAsync("/_matrix/federation/v1/query/directory?room_alias=%23x:test.example")));
    }
}
