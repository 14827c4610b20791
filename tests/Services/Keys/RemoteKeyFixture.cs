using System.Text.Json;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.ClientApi;
using Matrix.Testing.Federation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Matrix.ServiceTests.Keys;

public sealed class RemoteKeyFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with { FederationVerifyCertificates = false };
}

/// <summary>May talk to one server that is not there.</summary>
public sealed class ClosedKeyFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with { FederationVerifyCertificates = false, FederationDomainWhitelist = ["localhost:1"] };
}

/// <summary>Another homeserver that answers questions for keys with what a test says.</summary>
internal sealed class KeyServer : IAsyncDisposable
{
    private readonly List<string> asked = [];

    private FakeRemoteServer Server { get; set; } = null!;
    public string Name => Server.Name;
    public int Status { get; set; } = 200;
    /// <summary>By the body of the question; it may wait.</summary>
    public Func<HttpContext, string, Task<string>> Answer { get; set; } = (_, _) => Task.FromResult("{}");
    /// <summary>Last part of the path, and body, of each question.</summary>
    public IReadOnlyList<string> Asked { get { lock (asked) return [.. asked]; } }

    public static async Task<KeyServer> StartAsync()
    {
        var server = new KeyServer();
        server.Server = await FakeRemoteServer.StartAsync(routes => routes.MapPost("/_matrix/federation/v1/user/keys/{question}", async (HttpContext context) =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            lock (server.asked) server.asked.Add($"{context.Request.RouteValues["question"]} {body}");
            var answer = await server.Answer(context, body);
            context.Response.StatusCode = server.Status;
            await context.Response.WriteAsync(answer);
        }));
        return server;
    }

    public void Tell(object answer) => Tell(JsonSerializer.Serialize(answer));
    public void Tell(string answer) => Answer = (_, _) => Task.FromResult(answer);

    public TestUser User(string name, string device = "FAR") => new($"@{name}:{Name}", "", device, "");

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
