using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.ThirdPartyIds;

/// <summary>Adds addresses to accounts and takes them away.</summary>
internal sealed class AccountAddresses(ThreepidStore store, ThreepidProofs proofs, ThreepidRules rules, TimeProvider clock)
{
    /// <summary>M_FORBIDDEN where addresses stay as they are.</summary>
    public void RequireChanges() => rules.RequireChanges();

    /// <summary>Adds what a session has proved; M_THREEPID_AUTH_FAILED when it has proved nothing.</summary>
    /// <param name="unprovedStatus">Spec: openapi/client-server/administrative_contact.yaml, 403 at the old endpoint. Synapse: 400 at the new one.</param>
    public async Task AddAsync(Requester requester, JsonElement credentials, CancellationToken ct, int unprovedStatus = 400)
    {
        RequireChanges();
        var proved = await proofs.FindAnyAsync(credentials, ProofPurpose.Add, ct)
            ?? throw MatrixError.Custom(unprovedStatus, "M_THREEPID_AUTH_FAILED", "No validated 3pid session found").AsException();
        rules.Check(proved.Medium, proved.Address);
        if (await store.OwnerAsync(proved.Medium, proved.Address, ct) is { } owner && owner != requester.UserId.Value)
            throw MatrixError.Custom(400, "M_THREEPID_IN_USE", "The address is already in use").AsException();
        await store.AddAsync(requester.UserId.Value, proved, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
    }

    public async Task RemoveAsync(Requester requester, string medium, string address, CancellationToken ct) =>
        await store.RemoveAsync(requester.UserId.Value, medium, Threepids.Canonical(medium, address) ?? address, ct);
}
