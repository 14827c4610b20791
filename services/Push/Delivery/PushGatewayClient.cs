using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Matrix.FederationClient.Outbound;
using Matrix.ServiceDefaults;

namespace Matrix.Push.Delivery;

/// <summary>What became of a notification.</summary>
/// <param name="Rejected">Push keys that the gateway wants to hear no more of.</param>
/// <param name="Fault">Null: delivered. Otherwise why not; to be tried again.</param>
internal sealed record PushAnswer(IReadOnlyList<string> Rejected, string? Fault)
{
    public static PushAnswer Failed(string why) => new([], why);
}

/// <summary>Talks to push gateways, whose addresses users choose: guarded. Spec: push-gateway-api/#post_matrixpushv1notify</summary>
internal sealed class PushGatewayClient : IDisposable
{
    private const int MaxAnswerBytes = 256 * 1024;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private readonly HttpMessageInvoker http;

    public PushGatewayClient(HomeserverConfig config) =>
        http = new HttpMessageInvoker(GuardedHttp.CreateHandler(
            new IpRangeList(config.IpRangeBlacklist, config.IpRangeWhitelist), config.OutboundVerifyCertificates, []));

    public async Task<PushAnswer> NotifyAsync(Uri gateway, ReadOnlyMemory<byte> notification, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(Timeout);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, gateway);
            request.Content = new ReadOnlyMemoryContent(notification) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var response = await http.SendAsync(request, timeout.Token);
            var body = await GuardedHttp.ReadBoundedAsync(response.Content, MaxAnswerBytes, timeout.Token);
            if (response.StatusCode is < HttpStatusCode.OK or >= HttpStatusCode.MultipleChoices) return PushAnswer.Failed($"status {(int)response.StatusCode}");
            return new PushAnswer(Rejected(body), null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return PushAnswer.Failed(e.Message);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return PushAnswer.Failed("no answer in time");
        }
    }

    /// <summary>An answer that says nothing rejects nothing: the notification was taken all the same.</summary>
    private static List<string> Rejected(byte[]? body)
    {
        if (body is null || body.Length == 0) return [];
        try
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("rejected", out var list)
                || list.ValueKind != JsonValueKind.Array) return [];
            return [.. list.EnumerateArray().Where(k => k.ValueKind == JsonValueKind.String).Select(k => k.GetString()!)];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    public void Dispose() => http.Dispose();
}
