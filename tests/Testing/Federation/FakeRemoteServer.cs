using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing.Specification;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.Testing.Federation;

/// <summary>Another homeserver: listens with TLS on loopback, publishes a real key and signs with it.</summary>
public sealed class FakeRemoteServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly X509Certificate2 certificate;
    private readonly List<string> requests = [];
    private readonly SentRequests sent = new();

    private FakeRemoteServer(WebApplication app, X509Certificate2 certificate)
    {
        (this.app, this.certificate) = (app, certificate);
    }

    /// <summary>Server name, <c>localhost:PORT</c>: no delegation is looked for.</summary>
    public string Name { get; private set; } = "";
    /// <summary>Of an id that no other has: a port, and with it the name, may come back in the same database.</summary>
    public SigningKey Key { get; private set; } = NewKey($"ed25519:{Guid.NewGuid():N}");
    /// <summary>Milliseconds since the epoch; what the server says of its key.</summary>
    public long KeysValidUntilMs { get; set; } = DateTimeOffset.UtcNow.AddDays(1).ToUnixTimeMilliseconds();
    /// <summary>Signs the key document; another key makes a forgery.</summary>
    public SigningKey? KeysSignedBy { get; set; }
    /// <summary>Status of the answer to a question for keys.</summary>
    public int KeysStatus { get; set; } = 200;
    /// <summary>PEM of the certificate, which is its own authority.</summary>
    public string CertificatePem => certificate.ExportCertificatePem();

    /// <summary>Method and raw target of every request so far.</summary>
    public IReadOnlyList<string> Requests { get { lock (requests) return [.. requests]; } }

    public static SigningKey NewKey(string keyId)
    {
        var seed = RandomNumberGenerator.GetBytes(32);
        return new SigningKey(keyId, seed, Ed25519.Default.PublicKey(seed));
    }

    public void RotateKey(string keyId) => Key = NewKey(keyId);

    /// <param name="map">Further endpoints.</param>
    public static async Task<FakeRemoteServer> StartAsync(Action<IEndpointRouteBuilder>? map = null)
    {
        var certificate = SelfSigned();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.UseHttps(certificate)));
        var app = builder.Build();
        var server = new FakeRemoteServer(app, certificate);
        app.Use(next => context =>
        {
            lock (server.requests) server.requests.Add($"{context.Request.Method} {context.Features.Get<IHttpRequestFeature>()!.RawTarget}");
            return next(context);
        });
        server.sent.Watch(app);
        app.MapGet("/_matrix/key/v2/server", server.KeysAsync);
        map?.Invoke(app);
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        server.Name = $"localhost:{new Uri(address).Port}";
        return server;
    }

    private async Task KeysAsync(HttpContext context)
    {
        context.Response.StatusCode = KeysStatus;
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync(KeysDocument());
    }

    public byte[] KeysDocument()
    {
        var keys = $$"""{"{{Key.KeyId}}": { "key": "{{UnpaddedBase64.Encode(Key.PublicKey)}}" } }""";
        var unsigned = $$"""{"server_name":"{{Name}}","valid_until_ts":{{KeysValidUntilMs}},"old_verify_keys":{},"verify_keys":{{keys}} }""";
        return EventSigning.SignJson(Encoding.UTF8.GetBytes(unsigned), Name, KeysSignedBy ?? Key, Ed25519.Default);
    }

    /// <summary>Value of the Authorization header for a request of this server.</summary>
    public string Authorize(string destination, string method, string target, string? content = null, SigningKey? with = null)
    {
        var key = with ?? Key;
        var body = content is null ? "" : $"\"content\":{content},";
        var unsigned = "{" + $"""{body}"destination":"{destination}","method":"{method}","origin":"{Name}","uri":{Quote(target)}""" + "}";
        using var signed = JsonDocument.Parse(EventSigning.SignJson(Encoding.UTF8.GetBytes(unsigned), Name, key, Ed25519.Default));
        var signature = signed.RootElement.GetProperty("signatures").GetProperty(Name).GetProperty(key.KeyId).GetString();
        return $"X-Matrix origin=\"{Name}\",destination=\"{destination}\",key=\"{key.KeyId}\",sig=\"{signature}\"";
    }

    private static string Quote(string text) => "\"" + JsonEncodedText.Encode(text) + "\"";

    private static X509Certificate2 SelfSigned()
    {
        using var rsa = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var bare = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        return X509CertificateLoader.LoadPkcs12(bare.Export(X509ContentType.Pkcs12), null);
    }

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        certificate.Dispose();
        sent.Dispose();
    }
}
