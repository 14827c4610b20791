using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationClient.Keys;
using Matrix.Primitives;

namespace Matrix.FederationClient.Pdus;

/// <summary>What was found out about bytes that say to be an event.</summary>
/// <param name="Pdu">Null: drop it.</param>
/// <param name="EventId">Null: it could not be read.</param>
/// <param name="Reason">Why it is dropped, or that it was redacted because its content is not what its hash covers; null: nothing.</param>
public readonly record struct PduCheck(Pdu? Pdu, string? EventId, string? Reason);

/// <summary>
/// The checks on receipt of an event that need no room: shape and limits, signatures, content hash. Never throws for what an event is.
/// Spec: server-server-api/#checks-performed-on-receipt-of-a-pdu, 1 to 3
/// </summary>
public sealed class PduChecker(IKeyRing keys, ServerIdentity identity)
{
    /// <summary>Keys of one server that are tried: each may cost a question to that server.</summary>
    private const int MaxKeysTried = 4;

    /// <param name="signaturesChecked">Somebody of this server has verified them.</param>
    public async ValueTask<PduCheck> CheckAsync(ReadOnlyMemory<byte> json, RoomVersion version, string roomId, bool signaturesChecked, CancellationToken ct)
    {
        if (Pdu.TryReadUntrusted(json.Span, version, out var pdu) is { } fault) return new(null, null, fault.Reason);
        if (pdu!.RoomId != roomId) return new(null, pdu.EventId, "The event belongs to another room.");
        if (!signaturesChecked && await UnsignedByAsync(pdu, ct) is { } server) return new(null, pdu.EventId, $"The event has no valid signature of {server}.");
        return EventHashes.ContentHashMatches(pdu.Json.Span)
            ? new(pdu, pdu.EventId, null) : new(pdu.Redacted(), pdu.EventId, "The content is not what the hash covers; redacted.");
    }

    /// <summary>As <see cref="CheckAsync"/> for many, some at a time; in the same order.</summary>
    public async Task<PduCheck[]> CheckAllAsync(
        IReadOnlyList<ReadOnlyMemory<byte>> json, RoomVersion version, string roomId, bool signaturesChecked, CancellationToken ct)
    {
        var checks = new PduCheck[json.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(2, Environment.ProcessorCount), CancellationToken = ct };
        await Parallel.ForAsync(0, checks.Length, options, async (i, token) => checks[i] = await CheckAsync(json[i], version, roomId, signaturesChecked, token));
        return checks;
    }

    /// <summary>The first server whose signature is due and missing or false; null: all are there.</summary>
    private async ValueTask<string?> UnsignedByAsync(Pdu pdu, CancellationToken ct)
    {
        foreach (var server in SignersOf(pdu))
        {
            if (!await IsSignedByAsync(pdu, server, ct)) return server;
        }
        return null;
    }

    /// <summary>Spec: server-server-api/#validating-hashes-and-signatures-on-received-events</summary>
    internal static IReadOnlyList<string> SignersOf(Pdu pdu)
    {
        var servers = new List<string>(2);
        // An invitation through a third party is made for a sender whose server may not be there to sign it.
        var isThirdParty = pdu.Membership == Memberships.Invite && !pdu.ContentValue("third_party_invite"u8).IsEmpty;
        if (!isThirdParty) servers.Add(ServerOf(pdu.Sender));
        if (pdu.Version.EventIds == EventIdFormat.ServerGiven && ServerOf(pdu.EventId) is var given && !servers.Contains(given)) servers.Add(given);
        if (pdu.Version.RestrictedJoins && pdu.Membership == Memberships.Join && pdu.ContentString("join_authorised_via_users_server"u8) is { } authoriser
            && ServerOf(authoriser) is var vouching && !servers.Contains(vouching))
            servers.Add(vouching);
        return servers;
    }

    private static string ServerOf(string id) => id[(id.IndexOf(':', StringComparison.Ordinal) + 1)..];

    private async ValueTask<bool> IsSignedByAsync(Pdu pdu, string server, CancellationToken ct)
    {
        if (!ServerName.TryParse(server, null, out _)) return false;
        var tried = 0;
        foreach (var (signer, keyId) in EventSigning.Signatures(pdu.Json.Span))
        {
            if (signer != server || !keyId.StartsWith("ed25519:", StringComparison.Ordinal)) continue;
            if (++tried > MaxKeysTried) return false;
            var at = pdu.Version.EnforceKeyValidity ? pdu.OriginServerTs : 0;
            if (await keys.FindAsync(server, keyId, at, ct) is { } key
                && EventSigning.VerifyEvent(pdu.Json.Span, pdu.Version, server, keyId, key, identity.Ed25519))
                return true;
        }
        return false;
    }
}
