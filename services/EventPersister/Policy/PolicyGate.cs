using Matrix.Crypto;
using Matrix.EventPersister.Actors;
using Matrix.Events;
using Matrix.FederationClient.Policy;
using Matrix.Primitives;
using Matrix.Storage.Federation;

namespace Matrix.EventPersister.Policy;

/// <summary>
/// Gets the signatures of policy servers: before an event of this server is written, and for events of others that came without. A server that gives
/// no answer is left alone for a while, so that a room which depends on it does not stand still. Spec: server-server-api/#policy-servers
/// </summary>
internal sealed class PolicyGate(IPolicyServers servers, ServerMembers members, ServerIdentity server, TimeProvider clock)
{
    private const int MaxAtOnce = 8;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    /// <summary>The policy that holds for the room as it is; null: none.</summary>
    public async ValueTask<RoomPolicy?> OfAsync(RoomState room, Pdu? policyEvent, CancellationToken ct)
    {
        // Synapse: whoever is the policy server asks nobody.
        if (RoomPolicy.Of(policyEvent) is not { } policy || policy.Server == server.ServerName) return null;
        return await members.IsInRoomAsync(room.RoomNid, policy.Server, ct) ? policy : null;
    }

    /// <summary>The event with the signature that its room asks for, or why there is none.</summary>
    public async ValueTask<(Pdu Pdu, MatrixError? Error)> SignAsync(RoomState room, Pdu pdu, CancellationToken ct)
    {
        if (!RoomPolicy.Concerns(pdu) || await OfAsync(room, room.Get(RoomPolicy.StateKey), ct) is not { } policy) return (pdu, null);
        return await AskAsync(room, policy, pdu, ct);
    }

    /// <summary>As many of these as get one, with their signatures; the others as they are.</summary>
    public async Task<IReadOnlyList<Pdu>> CompleteAsync(RoomState room, RoomPolicy policy, IReadOnlyList<Pdu> pdus, CancellationToken ct)
    {
        var completed = pdus.ToArray();
        await Parallel.ForAsync(0, completed.Length, new ParallelOptions { MaxDegreeOfParallelism = MaxAtOnce, CancellationToken = ct }, async (i, token) =>
        {
            if (RoomPolicy.Concerns(pdus[i]) && !policy.IsRecommended(pdus[i], server.Ed25519)) completed[i] = (await AskAsync(room, policy, pdus[i], token)).Pdu;
        });
        return completed;
    }

    private async ValueTask<(Pdu Pdu, MatrixError? Error)> AskAsync(RoomState room, RoomPolicy policy, Pdu pdu, CancellationToken ct)
    {
        if (room.PolicyAwaySince != 0 && clock.GetElapsedTime(room.PolicyAwaySince) < Rest) return (pdu, MatrixError.Unavailable("The room's policy server cannot be asked."));
        var answer = await servers.SignAsync(policy.Server, pdu.Json, ct);
        room.PolicyAwaySince = answer.IsAway ? clock.GetTimestamp() : 0;
        if (answer.Signature is null) return (pdu, answer.Refusal ?? NotRecommended());
        var json = EventSigning.WithSignature(pdu.Json.Span, policy.Server, IPolicyServers.KeyId, answer.Signature);
        if (json.Length > Pdu.MaxBytes) return (pdu, MatrixError.TooLarge("The event is larger than 65536 bytes."));
        var signed = Pdu.ReadTrusted(json, pdu.Version, pdu.EventId);
        return policy.IsRecommended(signed, server.Ed25519) ? (signed, null) : (pdu, NotRecommended());
    }

    private static MatrixError NotRecommended() => MatrixError.Forbidden("The room's policy server does not recommend the event.");
}
