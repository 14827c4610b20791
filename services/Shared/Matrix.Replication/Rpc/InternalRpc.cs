using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Matrix.Primitives;
using Microsoft.Extensions.Logging;

namespace Matrix.Replication.Rpc;

/// <summary>
/// Calls over HTTP/1.1 with kept connections. An instance that cannot be connected to is passed over for the next in rendezvous order; once a request
/// may have been received, it is never sent twice. An error answer becomes the same <see cref="MatrixException"/> here.
/// </summary>
public sealed partial class InternalRpc : IInternalRpc, IDisposable
{
    private readonly IInstanceDirectory instances;
    private readonly IStreamFollower follower;
    private readonly InternalRpcOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly HttpClient http;
    private long calls;

    public InternalRpc(IInstanceDirectory instances, IStreamFollower follower, InternalRpcOptions options, TimeProvider time, ILogger<InternalRpc> log)
    {
        (this.instances, this.follower, this.options, this.time, this.log) = (instances, follower, options, time, log);
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectTimeout,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
        };
        http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public void Dispose() => http.Dispose();

    public async Task<byte[]> PostAsync(string service, string key, string path, ReadOnlyMemory<byte> json, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(options.Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            using var response = await DeliverAsync(service, key, path, json, both.Token);
            var body = await response.Content.ReadAsByteArrayAsync(both.Token);
            await CatchUpAsync(response, both.Token);
            return response.IsSuccessStatusCode ? body : throw ErrorOf(response, body).AsException();
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw MatrixError.Unavailable($"No answer from {service} in time.").AsException();
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            LogBroken(log, e, service, path);
            throw MatrixError.Unavailable($"The answer of {service} was lost.").AsException();
        }
    }

    private async Task<HttpResponseMessage> DeliverAsync(
        string service, string key, string path, ReadOnlyMemory<byte> json, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            var version = instances.Version;
            var candidates = instances.Of(service);
            foreach (var index in Rendezvous.Rank(options.Affinity ? key : NextKey(), candidates.Select(i => i.Name).ToList()))
            {
                try
                {
                    return await SendAsync(candidates[index], path, json, ct);
                }
                catch (HttpRequestException e) when (NeverArrived(e))
                {
                    LogNotDelivered(log, service, candidates[index].Name, e.Message);
                    ReplicationMetrics.RpcRetries.Add(1, new KeyValuePair<string, object?>("service", service));
                }
            }
            var left = options.NobodyThereTimeout - time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero) throw MatrixError.Unavailable($"No instance of {service} can be reached.").AsException();
            await PauseAsync(version, left, ct);
        }
    }

    /// <summary>Whoever it falls to.</summary>
    private string NextKey() => Interlocked.Increment(ref calls).ToString(CultureInfo.InvariantCulture);

    /// <summary>Until somebody comes or goes, and a moment at most: an instance that restarts keeps its row.</summary>
    private async Task PauseAsync(long version, TimeSpan left, CancellationToken ct)
    {
        var pause = left < TimeSpan.FromMilliseconds(200) ? left : TimeSpan.FromMilliseconds(200);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await Task.WhenAny(instances.WaitForChangeAsync(version, enough.Token), Task.Delay(pause, time, enough.Token));
        await enough.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    private async Task<HttpResponseMessage> SendAsync(ServiceInstance instance, string path, ReadOnlyMemory<byte> json, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, instance.InternalAddress.TrimEnd('/') + path);
        request.Headers.TryAddWithoutValidation(InternalHeaders.Secret, options.Secret);
        request.Content = new ReadOnlyMemoryContent(json);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
    }

    /// <summary>No connection came to be, so nothing was sent.</summary>
    private static bool NeverArrived(HttpRequestException e) =>
        e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError;

    private async Task CatchUpAsync(HttpResponseMessage response, CancellationToken ct)
    {
        if (!response.Headers.TryGetValues(InternalHeaders.Positions, out var values)) return;
        foreach (var (stream, position) in InternalHeaders.Parse(string.Join(',', values)))
        {
            if (!await follower.WaitForAsync(stream, position, options.PositionsTimeout, ct)) LogStillBehind(log, stream.Name, position);
        }
    }

    private static MatrixError ErrorOf(HttpResponseMessage response, byte[] body)
    {
        var status = (int)response.StatusCode;
        try
        {
            using var document = JsonDocument.Parse(body);
            var (code, message) = ("M_UNKNOWN", "");
            var error = MatrixError.Custom(status, code, message);
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (member.NameEquals("errcode")) error = error with { Code = member.Value.GetString() ?? code };
                else if (member.NameEquals("error")) error = error with { Message = member.Value.GetString() ?? message };
                else error = error.With(member.Name, member.Value.GetRawText());
            }
            return error with { RetryAfterSeconds = (int?)response.Headers.RetryAfter?.Delta?.TotalSeconds };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return MatrixError.Unknown(status, $"The internal answer was {status} without an error object.");
        }
    }

    [LoggerMessage(3040, LogLevel.Warning, "{Service} instance {Instance} cannot be reached ({Reason}); the next one is asked")]
    private static partial void LogNotDelivered(ILogger log, string service, string instance, string reason);
    [LoggerMessage(3041, LogLevel.Warning, "The answer of {Service} to {Path} was lost")]
    private static partial void LogBroken(ILogger log, Exception e, string service, string path);
    [LoggerMessage(3042, LogLevel.Warning, "Stream {Stream} did not reach {Position} in time; going on without")]
    private static partial void LogStillBehind(ILogger log, string stream, long position);
}
