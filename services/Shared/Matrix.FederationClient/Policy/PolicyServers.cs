using System.Text.Json;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;
using Microsoft.Extensions.Logging;

namespace Matrix.FederationClient.Policy;

/// <summary>Over signed HTTP. A room waits for the answer, so it may not take long.</summary>
public sealed partial class PolicyServers(FederationHttp http, TimeProvider clock, ILogger<PolicyServers> log) : IPolicyServers
{
    private const int MaxAnswer = 64 * 1024, MaxMessage = 1_000;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    public async Task<PolicyAnswer> SignAsync(string server, ReadOnlyMemory<byte> pdu, CancellationToken ct)
    {
        using var patience = new CancellationTokenSource(Timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, patience.Token);
        try
        {
            var answer = await http.SendAsync(server, HttpMethod.Post, "/_matrix/policy/v1/sign", pdu, MaxAnswer, both.Token);
            return answer.Body is { } body && Read(body, (int)answer.Status, server) is { } read ? read : Away(server, $"status {(int)answer.Status}");
        }
        catch (FederationUnreachableException e)
        {
            return Away(server, e.Message);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return Away(server, "no answer in time");
        }
    }

    private PolicyAnswer Away(string server, string reason)
    {
        LogAway(server, reason);
        return new PolicyAnswer(null, MatrixError.Unavailable("The room's policy server cannot be asked."), IsAway: true);
    }

    /// <summary>Null: not what the specification says.</summary>
    internal static PolicyAnswer? Read(byte[] body, int status, string server)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object) return null;
            if (status == 200)
            {
                return root.TryGetProperty(server, out var keys) && keys.ValueKind == JsonValueKind.Object
                    && keys.TryGetProperty(IPolicyServers.KeyId, out var text) && text.ValueKind == JsonValueKind.String
                    && UnpaddedBase64.TryDecodeUrl(text.GetString()!, out var signature) && signature.Length == 64
                    // Without a signature it is none. Synapse: an empty object is a refusal.
                    ? new PolicyAnswer(signature, null) : new PolicyAnswer(null, MatrixError.Forbidden("The room's policy server does not recommend the event."));
            }
            // The client hears what the policy server says; what is about the request between the servers is not for him.
            if (status is not (400 or 403 or 429) || Text(root, "errcode") is not { } code || !code.StartsWith("M_", StringComparison.Ordinal)) return null;
            var error = MatrixError.Custom(status, code, Text(root, "error") ?? "The room's policy server refuses the event.");
            if (status == 429) error = MatrixError.LimitExceeded(root.TryGetProperty("retry_after_ms", out var ms) && ms.TryGetInt32(out var wait) ? Math.Max(0, wait) : 0);
            return new PolicyAnswer(null, error);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string? Text(JsonElement o, string name) =>
        o.TryGetProperty(name, out var v) && v.ValueKind == JsonValueKind.String && v.GetString() is { Length: > 0 and <= MaxMessage } text ? text : null;

    [LoggerMessage(11, LogLevel.Warning, "Policy server {Server} gives no answer: {Reason}")]
    private partial void LogAway(string server, string reason);
}
