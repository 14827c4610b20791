using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Uia;

/// <summary>A user proves who he is before he changes his account: with any one of the stages that he can do.</summary>
internal sealed class Reauthentication(InteractiveAuth uia, IEnumerable<IUiaStage> stages, DeviceProofStore proofs, HomeserverConfig config, TimeProvider clock)
{
    private TimeSpan ProofLifetime => config.Accounts.ProofLifetime;

    /// <param name="operation">Names what is done with all that the user agrees to, such as the device to be removed.</param>
    /// <param name="flows">What proves it; null: any stage that the user can do.</param>
    /// <param name="request">Kept without <c>auth</c> while the session lasts, unless <paramref name="remember"/> says what is kept instead. No secrets.</param>
    /// <param name="acceptsEarlier">A proof for something else counts as well, for some time after it was made with this device.</param>
    public async Task<UiaOutcome> CheckAsync(
        Requester requester, string operation, JsonElement request, CancellationToken ct, Func<CancellationToken, ValueTask<byte[]>>? remember = null,
        IReadOnlyList<UiaFlow>? flows = null, bool acceptsEarlier = false)
    {
        if (acceptsEarlier && await HasProvedAsync(requester, ct)) return new UiaOutcome(null, null, request, UiaOutcome.NoResults);
        var outcome = await uia.CheckAsync(request, new UiaDemand
        {
            Operation = operation,
            Flows = flows ?? await FlowsAsync(requester.UserId, ct),
            User = requester.UserId,
            Remember = remember ?? (_ => new(InteractiveAuth.WithoutAuth(request))),
        }, ct);
        if (outcome.Challenge is null && ProofLifetime > TimeSpan.Zero)
            await proofs.SetAsync(requester.UserId.Value, requester.DeviceId, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        return outcome;
    }

    private async ValueTask<bool> HasProvedAsync(Requester requester, CancellationToken ct) =>
        ProofLifetime > TimeSpan.Zero && await proofs.FindAsync(requester.UserId.Value, requester.DeviceId, ct) is { } at
        && clock.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(at) < ProofLifetime;

    private async Task<IReadOnlyList<UiaFlow>> FlowsAsync(UserId user, CancellationToken ct)
    {
        var flows = new List<UiaFlow>();
        foreach (var stage in stages)
            if (await stage.IsReauthOfAsync(user, ct)) flows.Add(new UiaFlow(stage.Type));
        // Synapse: who can prove himself in no way is asked for a password that he does not have.
        return flows.Count > 0 ? flows : [new UiaFlow(PasswordStage.Name)];
    }
}
