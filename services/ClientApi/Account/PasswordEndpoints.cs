using System.Text;
using System.Text.Json;
using Matrix.ClientApi.Uia;
using Matrix.Replication;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Account;

/// <summary>Changing the password and ending the account. Spec: client-server-api/#account-management</summary>
internal static class PasswordEndpoints
{
    public static void MapPassword(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/account/password", ChangePassword).OptionalAuth().Named("change_password");
        routes.Post(ClientVersions.R0V3Unstable, "/account/deactivate", Deactivate).Named("deactivate_account");
    }

    private static async Task<IResult> ChangePassword(
        JsonBody body, Requester? requester, ClientAddress client, Reauthentication reauthentication, PasswordResets resets, PasswordHasher hasher, PasswordRules rules,
        AccountStore accounts, IStreamPublisher publisher, CancellationToken ct)
    {
        var request = body.AsObject();
        if (request.StringOrNull("new_password") is { } wanted) rules.Check(wanted);
        var logOut = request.BoolOrNull("logout_devices");
        if (requester is null)
            return await resets.ResetAsync(request, client.Text, c => RememberAsync(request, hasher, c), first => HashAsync(first, request, hasher, ct), ct);
        var outcome = await reauthentication.CheckAsync(requester, "change_password", request, ct, c => RememberAsync(request, hasher, c));
        if (outcome.Challenge is { } challenge) return challenge;
        var hash = await HashAsync(outcome.Remembered, request, hasher, ct);
        var logOutOthers = logOut ?? outcome.Remembered.BoolOrNull("logout_devices") ?? true;
        await publisher.PublishAllAsync(await accounts.SetPasswordAsync(requester.UserId.Value, hash, requester.DeviceId, logOutOthers, ct));
        return MatrixResults.Empty;
    }

    /// <summary>Synapse: a password in this request is the one that is meant, else the one that the session began with.</summary>
    private static async Task<string> HashAsync(JsonElement first, JsonElement request, PasswordHasher hasher, CancellationToken ct) =>
        (request.StringOrNull("new_password") is null ? first.StringOrNull("password_hash") : null)
            ?? await hasher.HashAsync(request.RequiredString("new_password"), ct);

    private static async ValueTask<byte[]> RememberAsync(JsonElement request, PasswordHasher hasher, CancellationToken ct)
    {
        var hash = request.StringOrNull("new_password") is { } password ? await hasher.HashAsync(password, ct) : null;
        var logOut = request.BoolOrNull("logout_devices") ?? true;
        // Both values hold nothing that JSON would have to escape.
        return Encoding.UTF8.GetBytes(hash is null
            ? $$"""{"logout_devices":{{(logOut ? "true" : "false")}}}"""
            : $$"""{"password_hash":"{{hash}}","logout_devices":{{(logOut ? "true" : "false")}}}""");
    }

    private static async Task<IResult> Deactivate(
        JsonBody body, Requester requester, Reauthentication reauthentication, Deactivation deactivation, CancellationToken ct)
    {
        var request = body.AsObjectOrEmpty();
        var (eraseNow, serverNow) = (request.BoolOrNull("erase"), request.StringOrNull("id_server"));
        // Synapse: application services end the accounts of their users with nothing but their token.
        var outcome = requester.AppServiceId is null ? await reauthentication.CheckAsync(requester, "deactivate", request, ct) : default;
        if (outcome.Challenge is { } challenge) return challenge;
        var first = outcome.Remembered.ValueKind == JsonValueKind.Object ? outcome.Remembered : request;
        var erase = eraseNow ?? first.BoolOrNull("erase") ?? false;
        var identityServer = serverNow ?? first.StringOrNull("id_server");
        var unbound = await deactivation.DeactivateAsync(requester.UserId, erase, ct, identityServer);
        return MatrixResults.Object(w => w.WriteString("id_server_unbind_result"u8, unbound ? "success"u8 : "no-support"u8));
    }
}
