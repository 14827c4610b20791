using Matrix.Primitives;

namespace Matrix.FederationClient.Policy;

/// <summary>What a policy server says of an event: one of the two is there.</summary>
/// <param name="Signature">64 bytes, not verified.</param>
/// <param name="Refusal">What it answered instead, as far as a client may hear it.</param>
/// <param name="IsAway">It gave no answer that can be used.</param>
public sealed record PolicyAnswer(byte[]? Signature, MatrixError? Refusal, bool IsAway = false);

/// <summary>Asks servers for their recommendation. Never throws but for a cancellation. Spec: server-server-api/#asking-for-a-policy-server-signature-on-an-event</summary>
public interface IPolicyServers
{
    /// <summary>The only key id of such signatures.</summary>
    const string KeyId = "ed25519:policy_server";

    /// <param name="pdu">The event as it would be sent, canonical.</param>
    Task<PolicyAnswer> SignAsync(string server, ReadOnlyMemory<byte> pdu, CancellationToken ct);
}
