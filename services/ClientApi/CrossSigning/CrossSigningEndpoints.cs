using Matrix.ClientApi.OAuth;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.Storage.OAuth;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.CrossSigning;

/// <summary>Keys that sign keys. Spec: client-server-api/#cross-signing</summary>
internal static class CrossSigningEndpoints
{
    public static void MapCrossSigning(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/keys/device_signing/upload", UploadKeys).Named("upload_cross_signing_keys");
        routes.Post(ClientVersions.R0V3Unstable, "/keys/signatures/upload", UploadSignatures).Named("upload_key_signatures");
    }

    private static async Task<IResult> UploadKeys(
        JsonBody body, Requester requester, CrossSigningUpload upload, Reauthentication reauthentication, OAuthSessionStore oauth, CancellationToken ct)
    {
        var request = body.AsObject();
        var user = requester.UserId.Value;
        var plan = await upload.PlanAsync(user, CrossSigningReader.Read(request, user), ct);
        if (plan.NeedsProof && requester.AppServiceId is null)
        {
            var isOAuth = await oauth.FindByTokenAsync(requester.TokenHash, ct) is not null;
            var outcome = await reauthentication.CheckAsync(requester, OAuthStage.Operation, request, ct, flows: isOAuth ? OAuthStage.Flows : null);
            if (outcome.Challenge is { } challenge) return challenge;
        }
        return await upload.TryStoreAsync(user, plan, ct) ? MatrixResults.Empty
            : throw MatrixError.Custom(409, "M_UNKNOWN", "The keys were changed at the same time.").AsException();
    }

    private static async Task<IResult> UploadSignatures(JsonBody body, Requester requester, SignatureUpload upload, CancellationToken ct)
    {
        var failures = await upload.UploadAsync(requester.UserId.Value, body.AsObject(), ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartObject("failures"u8);
            foreach (var user in failures.GroupBy(f => f.UserId, StringComparer.Ordinal))
            {
                w.WriteStartObject(user.Key);
                foreach (var (_, keyId, error) in user)
                {
                    w.WriteStartObject(keyId);
                    w.WriteString("errcode"u8, error.Code);
                    w.WriteString("error"u8, error.Message);
                    w.WriteEndObject();
                }
                w.WriteEndObject();
            }
            w.WriteEndObject();
        });
    }
}
