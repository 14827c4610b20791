using System.Net;
using System.Net.Http.Headers;
using Matrix.Crypto;
using Matrix.FederationClient.Signing;

namespace Matrix.FederationClient.Outbound;

/// <summary>What a remote server answered; <c>Body</c> is null when it was too long.</summary>
public sealed record FederationAnswer(HttpStatusCode Status, byte[]? Body);

/// <summary>A server that could not be reached, or that may not be talked to.</summary>
public sealed class FederationUnreachableException(string server, string reason, Exception? inner = null)
    : Exception($"{server}: {reason}", inner);

/// <summary>HTTP to other servers, resolved, guarded and signed.</summary>
public sealed class FederationHttp : IDisposable
{
    private static readonly ProductInfoHeaderValue UserAgent = new("Armada", typeof(FederationHttp).Assembly.GetName().Version?.ToString(3) ?? "0");
    private readonly HttpMessageInvoker http;
    private readonly HttpMessageInvoker wellKnown;
    private readonly ServerResolver resolver;
    private readonly FederationClientOptions options;
    private readonly ServerIdentity identity;

    public FederationHttp(FederationClientOptions options, ServerIdentity identity, TimeProvider clock)
    {
        this.options = options;
        this.identity = identity;
        var blocked = new IpRangeList(options.IpRangeBlacklist, options.IpRangeWhitelist);
        http = new HttpMessageInvoker(GuardedHttp.CreateHandler(blocked, options.VerifyCertificates, options.CustomCaFiles));
        var wellKnownHandler = GuardedHttp.CreateHandler(blocked, options.VerifyCertificates, options.CustomCaFiles);
        wellKnownHandler.AllowAutoRedirect = true;      // the specification wants redirects followed here; each hop is guarded too
        wellKnownHandler.MaxAutomaticRedirections = 5;
        wellKnown = new HttpMessageInvoker(wellKnownHandler);
        resolver = new ServerResolver(wellKnown, clock);
    }

    /// <summary>False: the configuration lets this server talk to others only.</summary>
    public bool MayAsk(string server) => options.DomainWhitelist is not { } whitelist || whitelist.Contains(server, StringComparer.OrdinalIgnoreCase);

    /// <summary>An unsigned GET: keys and versions. <paramref name="target"/> is a path with its query, sent to the byte.</summary>
    public Task<FederationAnswer> GetPlainAsync(string server, string target, int limit, CancellationToken ct) =>
        SendAsync(server, HttpMethod.Get, target, null, signed: false, limit, ct);

    /// <summary>A request signed with X-Matrix. <paramref name="content"/> is a JSON value; null for none.</summary>
    public Task<FederationAnswer> SendAsync(string server, HttpMethod method, string target, ReadOnlyMemory<byte>? content, int limit, CancellationToken ct) =>
        SendAsync(server, method, target, content, signed: true, limit, ct);

    private async Task<FederationAnswer> SendAsync(
        string server, HttpMethod method, string target, ReadOnlyMemory<byte>? content, bool signed, int limit, CancellationToken ct)
    {
        if (!MayAsk(server)) throw new FederationUnreachableException(server, "not in federation_domain_whitelist");
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(options.Timeout);
        try
        {
            var address = await resolver.ResolveAsync(server, timeout.Token);
            using var request = new HttpRequestMessage(method, Target(address, target));
            request.Headers.Host = address.HostHeader;
            request.Headers.UserAgent.Add(UserAgent);
            if (content is { } body)
                request.Content = new ReadOnlyMemoryContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            if (signed)
            {
                var authorization = XMatrix.Sign(identity, server, method.Method, target, content);
                request.Headers.TryAddWithoutValidation("Authorization", authorization.ToString());
            }
            using var response = await http.SendAsync(request, timeout.Token);
            return new FederationAnswer(response.StatusCode, await GuardedHttp.ReadBoundedAsync(response.Content, limit, timeout.Token));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new FederationUnreachableException(server, e.Message, e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new FederationUnreachableException(server, "no answer in time", e);
        }
    }

    /// <summary>The target goes out as it was signed: no decoding, no dot segments.</summary>
    private static Uri Target(ServerAddress address, string target) =>
        new($"https://{address.Host}:{address.Port}{target}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });

    public void Dispose()
    {
        http.Dispose();
        wellKnown.Dispose();
    }
}
