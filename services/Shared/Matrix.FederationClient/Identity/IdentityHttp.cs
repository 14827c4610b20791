using System.Net;
using System.Net.Http.Headers;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;

namespace Matrix.FederationClient.Identity;

/// <summary>What an identity server answered; <c>Body</c> is null when it was too long.</summary>
public sealed record IdentityAnswer(HttpStatusCode Status, byte[]? Body);

/// <summary>
/// HTTP to identity servers, whose names users and room state choose: guarded, bounded in size and time. A server that cannot be reached is M_UNKNOWN
/// with status 500. Spec: identity-service-api
/// </summary>
public sealed class IdentityHttp(IpRangeList blocked, bool verifyCertificates) : IDisposable
{
    private const int MaxAnswer = 64 * 1024;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
    private readonly HttpMessageInvoker http = new(GuardedHttp.CreateHandler(blocked, verifyCertificates, []));

    /// <summary>M_INVALID_PARAM for what is more than a host and a port.</summary>
    public static void CheckName(string server)
    {
        if (!ServerName.TryParse(server, null, out _)) throw MatrixError.InvalidParam("id_server must be a valid hostname with optional port and no other URL components").AsException();
    }

    /// <param name="body">A JSON object.</param>
    /// <param name="authorization">Value of the header; null: none.</param>
    public Task<IdentityAnswer> PostAsync(string server, string path, ReadOnlyMemory<byte> body, string? authorization, CancellationToken ct) =>
        SendAsync(HttpMethod.Post, $"https://{server}{path}", body, authorization, ct);

    public Task<IdentityAnswer> GetAsync(string url, string? authorization, CancellationToken ct) => SendAsync(HttpMethod.Get, url, null, authorization, ct);

    private async Task<IdentityAnswer> SendAsync(HttpMethod method, string url, ReadOnlyMemory<byte>? body, string? authorization, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(Timeout);
        try
        {
            using var request = new HttpRequestMessage(method, url);
            if (body is { } json) request.Content = new ReadOnlyMemoryContent(json) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            if (authorization is not null) request.Headers.TryAddWithoutValidation("Authorization", authorization);
            using var response = await http.SendAsync(request, timeout.Token);
            return new IdentityAnswer(response.StatusCode, await GuardedHttp.ReadBoundedAsync(response.Content, MaxAnswer, timeout.Token));
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw MatrixError.Unknown(500, "Failed to contact identity server").AsException();
        }
    }

    public void Dispose() => http.Dispose();
}
