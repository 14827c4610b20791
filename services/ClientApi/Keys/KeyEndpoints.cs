using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Keys;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Keys;

/// <summary>Keys of devices. Spec: client-server-api/#key-management-api</summary>
internal static class KeyEndpoints
{
    public static void MapKeys(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/keys/upload", Upload).AllowGuests().Named("upload_keys");
        // Older clients name their device.
        routes.Post(ClientVersions.R0V3Unstable, "/keys/upload/{deviceId}", UploadOf).AllowGuests().Named("upload_keys");
        routes.Post(ClientVersions.R0V3Unstable, "/keys/query", Query).AllowGuests().Named("query_keys");
        routes.Post(ClientVersions.R0V3Unstable, "/keys/claim", Claim).AllowGuests().Named("claim_keys");
        routes.Get(ClientVersions.R0V3Unstable, "/keys/changes", Changes).Named("key_changes");
    }

    private static Task<IResult> UploadOf(
        string deviceId, JsonBody body, Requester requester, DeviceKeyStore store, IStreamPublisher publisher, TimeProvider clock, CancellationToken ct) =>
        deviceId == requester.DeviceId ? Upload(body, requester, store, publisher, clock, ct)
            : throw MatrixError.InvalidParam("That is not this device.").AsException();

    private static async Task<IResult> Upload(
        JsonBody body, Requester requester, DeviceKeyStore store, IStreamPublisher publisher, TimeProvider clock, CancellationToken ct)
    {
        var upload = KeyUploadReader.Read(body.AsObject(), requester);
        var result = await store.UploadAsync(upload, KeyLimits.OneTimeKeys, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        Require(result);
        await publisher.PublishAllAsync(result.Batches);
        return MatrixResults.Object(w =>
        {
            w.WriteStartObject("one_time_key_counts"u8);
            // Synapse: said also where there are none.
            if (!result.Counts.Any(c => c.Key == "signed_curve25519")) w.WriteNumber("signed_curve25519"u8, 0);
            foreach (var (algorithm, count) in result.Counts) w.WriteNumber(algorithm, count);
            w.WriteEndObject();
        });
    }

    /// <summary>Throws what is wrong with an upload.</summary>
    public static void Require(KeyUploadResult result)
    {
        switch (result.Fault)
        {
            case KeyUploadFault.NoDevice:
                throw MatrixError.Unknown(400, "Keys belong to a device: log in with one.").AsException();
            case KeyUploadFault.KeyReplaced:
                throw MatrixError.InvalidParam($"One time key {result.ReplacedKey} already exists, with another value.").AsException();
            case KeyUploadFault.TooMany:
                throw MatrixError.InvalidParam($"A device may have {KeyLimits.OneTimeKeys} one-time keys.").AsException();
        }
    }

    private static async Task<IResult> Query(JsonBody body, Requester requester, KeyQueries queries, CancellationToken ct) =>
        MatrixResults.Raw(await queries.QueryAsync(requester.UserId.Value, body.AsObject(), ct));

    private static async Task<IResult> Claim(JsonBody body, Requester _, KeyClaims claims, CancellationToken ct) =>
        MatrixResults.Raw(await claims.ClaimAsync(body.AsObject(), ct));

    /// <remarks><c>to</c> is a hint: the database knows what is newest.</remarks>
    private static async Task<IResult> Changes(string? from, string? to, Requester requester, ContactReader contacts, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(from)) throw MatrixError.MissingParam("Missing 'from' parameter").AsException();
        var since = StreamToken.FromClient(from, "from");
        if (!string.IsNullOrEmpty(to)) StreamToken.FromClient(to, "to");
        var news = await contacts.ChangesAsync(requester.UserId.Value, since.Events ?? 0, since.DeviceLists ?? 0, long.MaxValue, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("changed"u8);
            foreach (var user in news.Changed) w.WriteStringValue(user);
            w.WriteEndArray();
            w.WriteStartArray("left"u8);
            foreach (var user in news.Left) w.WriteStringValue(user);
            w.WriteEndArray();
        });
    }
}
