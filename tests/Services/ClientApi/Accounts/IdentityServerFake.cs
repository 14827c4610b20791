using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing.Federation;
using Matrix.Testing.Specification;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>An identity server that also sends text messages and judges captchas: it remembers what it was asked.</summary>
public sealed class IdentityServerFake : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly SentRequests sent;

    private IdentityServerFake(WebApplication app, SentRequests sent, int port) => (this.app, this.sent, Port) = (app, sent, port);

    public int Port { get; }
    public string Name => $"127.0.0.1:{Port}";
    public ConcurrentDictionary<string, string> Bindings { get; } = new(StringComparer.Ordinal);
    public ConcurrentQueue<(string Path, string Authorization, string Body)> Requests { get; } = new();

    public static async Task<IdentityServerFake> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(o => o.Listen(IPAddress.Loopback, 0, l => l.UseHttps(SelfSigned())));
        var app = builder.Build();
        IdentityServerFake? fake = null;
        var sent = new SentRequests();
        sent.Watch(app);
        app.Run(context => fake!.AnswerAsync(context));
        fake = new IdentityServerFake(app, sent, 0);
        await app.StartAsync();
        var port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        return fake = new IdentityServerFake(app, sent, port);
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(30));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        var path = context.Request.Path.Value!;
        Requests.Enqueue((path, context.Request.Headers.Authorization.ToString(), body));
        var answer = path switch
        {
            "/_matrix/identity/v2/hash_details" => $$"""{"lookup_pepper":"{{Pepper}}","algorithms":["none","sha256"]}""",
            "/_matrix/identity/v2/lookup" => Lookup(body),
            "/_matrix/identity/v2/store-invite" => StoreInvite(),
            "/_matrix/identity/v2/pubkey/isvalid" => Valid(context.Request.Query["public_key"].ToString()),
            "/_matrix/identity/v2/3pid/bind" => Bind(body),
            "/_matrix/identity/v2/3pid/unbind" => Unbind(body),
            "/_matrix/identity/api/v1/validate/msisdn/requestToken" =>
                body.Contains(CodedNumber, StringComparison.Ordinal) ? """{"sid":"sms-coded"}""" : """{"sid":"sms-1","submit_url":"https://sms.example/submit"}""",
            "/_matrix/identity/api/v1/validate/msisdn/submitToken" => SubmitCode(body),
            "/_matrix/identity/api/v1/3pid/getValidated3pid" => context.Request.Query["sid"] == "sms-1" || (context.Request.Query["sid"] == "sms-coded" && codeWasRight)
                ? """{"medium":"msisdn","address":"491701234567","validated_at":1000}""" : """{"errcode":"M_SESSION_NOT_VALIDATED","error":"no"}""",
            "/siteverify" => body.Contains("response=good", StringComparison.Ordinal) && body.Contains("secret=private", StringComparison.Ordinal)
                ? """{"success":true}""" : """{"success":false}""",
            _ => "{}",
        };
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(answer));
    }

    /// <summary>Messages to this number hold a code; proofs of others are given at once.</summary>
    public const string CodedNumber = "49 170 9999999";
    public const string Code = "735912";
    private volatile bool codeWasRight;

    private string SubmitCode(string body)
    {
        var right = body.Contains($"\"{Code}\"", StringComparison.Ordinal);
        codeWasRight |= right;
        return right ? """{"success":true}""" : """{"success":false}""";
    }

    private const string Pepper = "pepper";
    private int invites;

    /// <summary>Keys of invitations; what is taken out is revoked.</summary>
    public SigningKey Key { get; set; } = FakeRemoteServer.NewKey("ed25519:0");
    public bool KeyIsRevoked { get; set; }

    /// <summary>Object <c>signed</c> that says who has the address.</summary>
    public JsonElement Sign(string mxid, string token, string? sender = null)
    {
        var said = sender is null ? $$"""{"mxid":"{{mxid}}","token":"{{token}}"}""" : $$"""{"mxid":"{{mxid}}","sender":"{{sender}}","token":"{{token}}"}""";
        return JsonDocument.Parse(EventSigning.SignJson(Encoding.UTF8.GetBytes(said), Name, Key, Ed25519.Default)).RootElement;
    }

    private string Lookup(string body)
    {
        using var json = JsonDocument.Parse(body);
        var wanted = json.RootElement.GetProperty("addresses")[0].GetString();
        foreach (var (address, user) in Bindings)
            if (UnpaddedBase64.EncodeUrl(SHA256.HashData(Encoding.UTF8.GetBytes($"{address} email {Pepper}"))) == wanted) return $$$"""{"mappings":{"{{{wanted}}}":"{{{user}}}"}}""";
        return """{"mappings":{}}""";
    }

    private string StoreInvite() => $$"""
        {"token":"token{{Interlocked.Increment(ref invites)}}","display_name":"b...@e...",
         "public_keys":[{"public_key":"{{UnpaddedBase64.Encode(Key.PublicKey)}}","key_validity_url":"https://{{Name}}/_matrix/identity/v2/pubkey/isvalid"}]}
        """;

    private string Valid(string key) => !KeyIsRevoked && key == UnpaddedBase64.Encode(Key.PublicKey) ? """{"valid":true}""" : """{"valid":false}""";

    private string Bind(string body)
    {
        using var json = JsonDocument.Parse(body);
        var address = json.RootElement.GetProperty("sid").GetString() + "@id.example";
        Bindings[address] = json.RootElement.GetProperty("mxid").GetString()!;
        return $$"""{"medium":"email","address":"{{address}}"}""";
    }

    private string Unbind(string body)
    {
        using var json = JsonDocument.Parse(body);
        Bindings.TryRemove(json.RootElement.GetProperty("threepid").GetProperty("address").GetString()!, out _);
        return "{}";
    }

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        sent.Dispose();
    }
}
