using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationClient.Policy;
using Matrix.Primitives;

namespace Matrix.Testing.Federation;

/// <summary>Policy servers without HTTP: all sign with one key what they are not told to refuse.</summary>
public sealed class FakePolicyServers : IPolicyServers
{
    private readonly ConcurrentQueue<(string Server, string Json)> asked = new();

    public SigningKey Key { get; set; } = FakeRemoteServer.NewKey(IPolicyServers.KeyId);
    /// <summary>Content of a room's <c>m.room.policy</c> for such a server.</summary>
    public object Content(string via) => new { via, public_keys = new { ed25519 = UnpaddedBase64.Encode(Key.PublicKey) } };
    /// <summary>Events whose JSON holds this are refused.</summary>
    public string Spam { get; } = "buy cheap boats";
    public bool IsAway { get; set; }

    /// <summary>Bodies of the questions for events of that room so far.</summary>
    public IReadOnlyList<string> Asked(string roomId) => [.. asked.Where(a => a.Json.Contains(roomId, StringComparison.Ordinal)).Select(a => a.Json)];

    public Task<PolicyAnswer> SignAsync(string server, ReadOnlyMemory<byte> pdu, CancellationToken ct)
    {
        var json = Encoding.UTF8.GetString(pdu.Span);
        asked.Enqueue((server, json));
        if (IsAway) return Task.FromResult(new PolicyAnswer(null, MatrixError.Unavailable("away"), IsAway: true));
        return Task.FromResult(json.Contains(Spam, StringComparison.Ordinal)
            ? new PolicyAnswer(null, MatrixError.Custom(400, "M_FORBIDDEN", "spam")) : new PolicyAnswer(Sign(pdu.Span, server), null));
    }

    private byte[] Sign(ReadOnlySpan<byte> pdu, string server)
    {
        using var signed = JsonDocument.Parse(EventSigning.SignEvent(pdu, RoomVersions.Find("11")!, server, Key, Ed25519.Default));
        UnpaddedBase64.TryDecode(signed.RootElement.GetProperty("signatures").GetProperty(server).GetProperty(Key.KeyId).GetString()!, out var signature);
        return signature;
    }
}
