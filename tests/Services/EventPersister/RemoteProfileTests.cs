using Matrix.Testing.Federation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Profiles of users of other servers are asked for there. Spec: client-server-api/#profiles</summary>
public sealed class RemoteProfileTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>, IAsyncLifetime
{
    private FakeRemoteServer server = null!;
    private (int Status, string Body) answer = (200, "{}");
    private string? asked;

    public async ValueTask InitializeAsync() => server = await FakeRemoteServer.StartAsync(routes => routes.Map("/_matrix/federation/v1/query/profile", async (HttpContext context) =>
    {
        asked = Uri.UnescapeDataString(context.Request.QueryString.Value!);
        context.Response.StatusCode = answer.Status;
        await context.Response.WriteAsync(answer.Body);
    }));

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private async Task<PersisterHost.Answer> GetAsync(string field = "") =>
        await (await fixture.NewUserAsync()).GetAsync($"/profile/{Uri.EscapeDataString($"@far:{server.Name}")}{field}");

    [Fact]
    public async Task The_whole_profile_is_what_its_server_tells()
    {
        answer = (200, """{"org.example.x":{"b":1,"a":2},"displayname":"Far","avatar_url":null,"m.tz":5}""");
        Assert.Equal("""{"displayname":"Far","org.example.x":{"a":2,"b":1}}""", (await GetAsync()).Ok().Body.GetRawText());
        Assert.Equal($"?user_id=@far:{server.Name}", asked);
    }

    [Fact]
    public async Task One_field_is_asked_for_alone()
    {
        answer = (200, """{"displayname":"Far","m.tz":"Europe/London"}""");
        Assert.Equal("""{"m.tz":"Europe/London"}""", (await GetAsync("/m.tz")).Ok().Body.GetRawText());
        Assert.Equal($"?user_id=@far:{server.Name}&field=m.tz", asked);
        (await GetAsync("/m.other")).Is(404, "M_NOT_FOUND");
        Assert.Equal("{}", (await GetAsync("/avatar_url")).Ok().Body.GetRawText());
    }

    [Fact]
    public async Task A_server_that_tells_no_profile_makes_nobody_known()
    {
        foreach (var useless in new[] { (404, """{"errcode":"M_NOT_FOUND","error":"?"}"""), (500, "{}"), (200, "[]"), (200, "no"), (200, $$"""{"displayname":"{{new string('x', 300_000)}}"}""") })
        {
            answer = useless;
            (await GetAsync()).Is(404, "M_NOT_FOUND");
            (await GetAsync("/displayname")).Is(404, "M_NOT_FOUND");
        }
    }
}
