using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using Matrix.ClientApi;
using Matrix.Replication;
using Matrix.Replication.Buses;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.ClientApi;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Accounts;
using Matrix.Testing.Servers;
using Matrix.Web.Auth;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.ServiceTests.Sso;

/// <summary>Two instances of ClientApi over one database, and the providers around them: two of OpenID Connect, a CAS server, a SAML identity provider.</summary>
public class SsoFixture : IAsyncLifetime
{
    public const string PublicBase = "https://matrix.test.example/";
    public const string Trusted = "https://trusted.test.example/";
    private readonly PostgresFixture postgres = new();
    private readonly ConcurrentDictionary<string, string> tickets = new();
    /// <summary>By which the hosts hear of each other.</summary>
    private readonly InProcessBus bus = new(TimeProvider.System, NullLogger<InProcessBus>.Instance);
    private FakeOidcProvider? oidc;
    private LoopbackServer? cas;
    private ServiceHost? first;
    private ServiceHost? second;
    private string? folder;
    private int counter;

    internal ServiceHost First => first ?? throw TestServers.Missing("ARMADA_TEST_PG is not set");
    internal ServiceHost Second => second ?? throw TestServers.Missing("ARMADA_TEST_PG is not set");
    internal FakeOidcProvider Oidc => oidc ?? throw TestServers.Missing("ARMADA_TEST_PG is not set");
    internal FakeSamlIdp Saml { get; } = new();
    internal ShiftedTime Clock { get; } = new();
    internal PostgresFixture Postgres => postgres;
    /// <summary>What CAS was asked.</summary>
    public ConcurrentQueue<string> CasRequests { get; } = new();

    public async ValueTask InitializeAsync()
    {
        await postgres.InitializeAsync();
        if (TestServers.Address("ARMADA_TEST_PG") is null) return;
        oidc = await FakeOidcProvider.StartAsync(Clock);
        cas = await LoopbackServer.StartAsync(AnswerCasAsync);
        folder = Directory.CreateTempSubdirectory("armada-sso").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "idp.xml"), Saml.Metadata);
        first = await StartAsync("first");
        second = await StartAsync("second");
    }

    private Task<ServiceHost> StartAsync(string name) => ServiceHost.StartAsync(
        postgres.ConnectionString, b => { b.AddClientApi(); Add(b); }, e => { e.MapClientApi(); Map(e); }, c => Adjust(Configure(c)),
        services =>
        {
            services.AddSingleton<AccessTokenStore>();
            services.AddSingleton<TokenAuthenticator>();
            services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<TokenAuthenticator>());
            services.Replace(ServiceDescriptor.Singleton<IRequestAuthenticator, UserTokenAuthenticator>());
            services.Replace(ServiceDescriptor.Singleton<TimeProvider>(Clock));
            services.Replace(ServiceDescriptor.Singleton<IReplicationBus>(bus));
            Replace(services);
        }, name);

    protected virtual void Replace(IServiceCollection services) { }
    protected virtual void Add(IHostApplicationBuilder builder) { }
    protected virtual void Map(IEndpointRouteBuilder endpoints) { }

    /// <summary>What a fixture made from this one has otherwise.</summary>
    protected virtual HomeserverConfig Adjust(HomeserverConfig config) => config;

    /// <summary>A folder that is there while the fixture is.</summary>
    protected string Folder => folder!;

    private HomeserverConfig Configure(HomeserverConfig config) => config with
    {
        PasswordHashIterations = 1, EnableRegistration = true, EnableRegistrationWithoutVerification = true, PublicBaseUrl = PublicBase,
        Sso = new()
        {
            Oidc =
            [
                Oidc.Config("main") with { BackchannelLogout = true, PassthroughParameters = ["login_hint", "state"] },
                Oidc.Config("chooser") with { Mapping = new() { DisplayNameTemplate = "{{ user.name }}", EmailTemplate = "{{ user.email }}" } },
                Oidc.Config("closed") with { EnableRegistration = false },
                Oidc.Config("existing") with { AllowExistingUsers = true, Requirements = [new("groups", ["admin", "staff"])] },
                Oidc.Config("info") with { AlwaysUserInfo = true, ClientAuthMethod = "client_secret_basic" },
                Oidc.Config("strict") with { SkipVerification = false },
                // Without PKCE the nonce is what binds a code to its login.
                Oidc.Config("bare") with { PkceMethod = "never" },
                Oidc.Config("other") with { ClientId = FakeOidcProvider.ClientId },
            ],
            Cas = new()
            {
                Label = new("CAS", null, null), ServerUrl = cas!.Address + "/cas", DisplayNameAttribute = "name", Requirements = [new("userGroup", ["staff"])],
            },
            Saml = new() { Label = new("SAML", null, null), MetadataFiles = [Path.Combine(folder!, "idp.xml")], Requirements = [new("userGroup", ["staff"])] },
            ClientWhitelist = [Trusted],
        },
    };

    internal TestBrowser NewBrowser() => new(First);
    public string NewName(string prefix = "user") => $"{prefix}{Interlocked.Increment(ref counter)}";

    /// <summary>A ticket for which CAS answers this.</summary>
    public string NewTicket(string xml)
    {
        var ticket = "ST-" + Guid.NewGuid().ToString("N");
        tickets[ticket] = xml;
        return ticket;
    }

    public string NewTicketOf(string user, string group = "staff") => NewTicket(
        $"<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess><cas:user>{user}</cas:user>"
        + $"<cas:attributes><cas:name>Name of {user}</cas:name><cas:userGroup>{group}</cas:userGroup></cas:attributes></cas:authenticationSuccess></cas:serviceResponse>");

    private async Task AnswerCasAsync(HttpContext context)
    {
        CasRequests.Enqueue(context.Request.Path + context.Request.QueryString);
        await context.Response.WriteAsync(tickets.GetValueOrDefault(context.Request.Query["ticket"].ToString(), "no XML at all"));
    }

    /// <summary>Logs in with the token that a client's address carries.</summary>
    internal Task<Answer> LogInAsync(string clientAddress, string? device = null) =>
        JsonAsync(HttpMethod.Post, "/_matrix/client/v3/login", null, new { type = "m.login.token", token = TokenIn(clientAddress), device_id = device });

    internal static string TokenIn(string clientAddress) => FakeOidcProvider.QueryOf(clientAddress)["loginToken"];

    internal async Task<TestUser> RegisterAsync(string? name = null)
    {
        name ??= NewName();
        var answer = (await JsonAsync(HttpMethod.Post, "/_matrix/client/v3/register", null, new { username = name, password = "secret", auth = new { type = "m.login.dummy" } })).RequireOk();
        return new(answer.Text("user_id"), answer.Text("access_token"), answer.Text("device_id"), "secret");
    }

    internal async Task<Answer> JsonAsync(HttpMethod method, string path, string? token, object? body = null, ServiceHost? host = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null) request.Headers.Authorization = new("Bearer", token);
        if (body is not null) request.Content = JsonContent.Create(body);
        using var response = await (host ?? First).Http.SendAsync(request);
        return new Answer((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement.Clone());
    }

    public async ValueTask DisposeAsync()
    {
        if (first is not null) await first.DisposeAsync();
        if (second is not null) await second.DisposeAsync();
        if (oidc is not null) await oidc.DisposeAsync();
        if (cas is not null) await cas.DisposeAsync();
        Saml.Dispose();
        if (folder is not null) Directory.Delete(folder, recursive: true);
        await postgres.DisposeAsync();
    }
}
