using System.Buffers;
using System.Net;
using System.Text.Json;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;
using Microsoft.Extensions.Logging;

namespace Matrix.FederationClient.DeviceKeys;

/// <summary>
/// One request for each server, some of them at the same time. Nothing is remembered. Spec: openapi/server-server/user_keys.yaml
/// </summary>
public sealed partial class FederatedKeys(FederationHttp http, TimeProvider clock, ILogger<FederatedKeys> log) : IRemoteKeys
{
    private const int MaxServersAtOnce = 20;
    private const int MaxBytes = 16 * 1024 * 1024;
    /// <summary>Of all servers of one question together, so that nobody fills the memory by naming many.</summary>
    private const long MaxBytesOfAll = 64 * 1024 * 1024;
    private const int MaxCode = 64;

    private static readonly RemoteFailure Late = new(503, "No answer in time");
    private static readonly RemoteFailure Unreachable = new(503, "The server could not be reached");
    private static readonly RemoteFailure TooLarge = new(502, "The answer is too large");
    private static readonly RemoteFailure Useless = new(502, "The answer is not what the specification says");

    public async Task<RemoteKeys> QueryAsync(IReadOnlyDictionary<string, IReadOnlyList<string>> wishes, TimeSpan timeout, CancellationToken ct)
    {
        var keys = new RemoteKeys();
        await AskAllAsync(
            new Question<IReadOnlyList<string>>("query", "device_keys", WriteDevices, (answer, asked) => RemoteKeyReader.Read(answer, asked, keys)),
            wishes, keys.Failures, timeout, ct);
        return keys;
    }

    public async Task<RemoteClaims> ClaimAsync(
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> wishes, TimeSpan timeout, CancellationToken ct)
    {
        var claims = new RemoteClaims();
        await AskAllAsync(
            new Question<IReadOnlyDictionary<string, string>>("claim", "one_time_keys", WriteAlgorithms, (answer, asked) => RemoteKeyReader.Read(answer, asked, claims)),
            wishes, claims.Failures, timeout, ct);
        return claims;
    }

    /// <param name="Endpoint">Last part of the path.</param>
    /// <param name="Member">Of the body, that maps users to what is wanted of them.</param>
    /// <param name="Take">Takes what is good of a canonical answer; false: it is none.</param>
    private sealed record Question<T>(string Endpoint, string Member, Action<Utf8JsonWriter, T> Write, Func<byte[], Dictionary<string, T>, bool> Take);

    private async Task AskAllAsync<T>(
        Question<T> question, IReadOnlyDictionary<string, T> wishes, Dictionary<string, RemoteFailure> failures, TimeSpan timeout, CancellationToken ct)
    {
        var servers = wishes.GroupBy(w => ServerOf(w.Key), StringComparer.Ordinal);
        using var deadline = new CancellationTokenSource(timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        var (gate, taken) = (new Lock(), 0L);
        await Parallel.ForEachAsync(servers, new ParallelOptions { MaxDegreeOfParallelism = MaxServersAtOnce, CancellationToken = ct }, async (wanted, _) =>
        {
            var (server, asked) = (wanted.Key, wanted.ToDictionary(StringComparer.Ordinal));
            var (answer, failure) = await AskAsync(server, question, asked, both.Token, ct);
            lock (gate)
            {
                if (answer is not null && (taken += answer.Length) > MaxBytesOfAll) failure = TooLarge;
                else if (answer is not null && !question.Take(answer, asked)) failure = Useless;
                if (failure is null) return;
                failures[server] = failure;
            }
            LogFailure(server, failure.Status, failure.Message);
        });
    }

    private async Task<(byte[]? Answer, RemoteFailure? Failure)> AskAsync<T>(
        string server, Question<T> question, Dictionary<string, T> asked, CancellationToken inTime, CancellationToken ct)
    {
        // Synapse: the same words.
        if (!http.MayAsk(server)) return (null, new RemoteFailure(403, $"Federation denied with {server}.", "M_FORBIDDEN"));
        try
        {
            inTime.ThrowIfCancellationRequested();
            var answer = await http.SendAsync(server, HttpMethod.Post, "/_matrix/federation/v1/user/keys/" + question.Endpoint, Body(question, asked), MaxBytes, inTime);
            if (answer.Status != HttpStatusCode.OK) return (null, new RemoteFailure((int)answer.Status, $"The server answered with {(int)answer.Status}", CodeOf(answer.Body)));
            if (answer.Body is not { } body) return (null, TooLarge);
            return CanonicalJson.ToArray(body, out _, strict: false) is { } json ? (json, null) : (null, Useless);
        }
        catch (FederationUnreachableException e)
        {
            return (null, e.InnerException is OperationCanceledException ? Late : Unreachable);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return (null, Late);
        }
    }

    private static ReadOnlyMemory<byte> Body<T>(Question<T> question, Dictionary<string, T> asked)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(body))
        {
            w.WriteStartObject();
            w.WriteStartObject(question.Member);
            foreach (var (user, wanted) in asked)
            {
                w.WritePropertyName(user);
                question.Write(w, wanted);
            }
            w.WriteEndObject();
            w.WriteEndObject();
        }
        return body.WrittenMemory;
    }

    private static void WriteDevices(Utf8JsonWriter w, IReadOnlyList<string> devices)
    {
        w.WriteStartArray();
        foreach (var device in devices) w.WriteStringValue(device);
        w.WriteEndArray();
    }

    private static void WriteAlgorithms(Utf8JsonWriter w, IReadOnlyDictionary<string, string> algorithms)
    {
        w.WriteStartObject();
        foreach (var (device, algorithm) in algorithms) w.WriteString(device, algorithm);
        w.WriteEndObject();
    }

    /// <summary>What looks like a code; its text is not passed on.</summary>
    private static string? CodeOf(byte[]? body)
    {
        if (body is null || CanonicalJson.ToArray(body, out _, strict: false) is not { } json || !CanonicalValue.IsObject(json)) return null;
        return new CanonicalObject(json).GetString("errcode"u8) is { Length: > 0 and <= MaxCode } code && code.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.') ? code : null;
    }

    private static string ServerOf(string userId) => userId[(userId.IndexOf(':', StringComparison.Ordinal) + 1)..];

    [LoggerMessage(2211, LogLevel.Debug, "No keys of {Server}: {Status} {Reason}")]
    private partial void LogFailure(string server, int status, string reason);
}
