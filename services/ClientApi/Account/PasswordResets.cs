using System.Text.Json;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

/// <summary>A new password for who has lost the old one: the address of the account proves him. Spec: client-server-api/#post_matrixclientv3accountpassword</summary>
internal sealed class PasswordResets(InteractiveAuth uia, ThreepidStore addresses, AccountStore accounts, IStreamPublisher publisher, HomeserverConfig config)
{
    public const string Operation = "reset_password";
    private static readonly UiaFlow[] Flows = [new(EmailStage.Name), new(PhoneStage.Name)];

    /// <param name="remember">What is kept of the request while the session lasts.</param>
    /// <param name="hash">The hash of the new password, of this request or the first.</param>
    public async Task<IResult> ResetAsync(
        JsonElement request, string clientAddress, Func<CancellationToken, ValueTask<byte[]>> remember, Func<JsonElement, Task<string>> hash, CancellationToken ct)
    {
        if (!config.Accounts.Passwords.ReauthEnabled) throw MatrixError.Forbidden("Passwords are not used on this server").AsException();
        var outcome = await uia.CheckAsync(request, new UiaDemand { Operation = Operation, Flows = Flows, ClientAddress = clientAddress, Remember = remember }, ct);
        if (outcome.Challenge is { } challenge) return challenge;
        var proved = ThreepidStage.AddressesOf(outcome.Results).First();
        var owner = await addresses.OwnerAsync(proved.Medium, proved.Address, ct)
            ?? throw MatrixError.Custom(404, "M_THREEPID_NOT_FOUND", "The address belongs to no account").AsException();
        if (await accounts.FindForLoginAsync(owner, owner, ct) is not { Deactivated: false } account) throw MatrixError.UserDeactivated().AsException();
        LoginGate.RequireOpen(account);
        var logOut = request.BoolOrNull("logout_devices") ?? outcome.Remembered.BoolOrNull("logout_devices") ?? true;
        await publisher.PublishAllAsync(await accounts.SetPasswordAsync(owner, await hash(outcome.Remembered), null, logOut, ct));
        return MatrixResults.Empty;
    }
}
