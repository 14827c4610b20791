using System.Globalization;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Keys;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.KeyBackup;

/// <summary>Versions of key backups. Spec: client-server-api/#server-side-key-backups</summary>
internal static class KeyBackupEndpoints
{
    private const int MaxAuthData = 64 * 1024;

    public static void MapKeyBackup(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/room_keys/version", Create).Named("create_key_backup");
        routes.Get(ClientVersions.R0V3Unstable, "/room_keys/version", GetNewest).Named("get_newest_key_backup");
        routes.Get(ClientVersions.R0V3Unstable, "/room_keys/version/{version}", Get).Named("get_key_backup");
        routes.Put(ClientVersions.R0V3Unstable, "/room_keys/version/{version}", Put).Named("set_key_backup");
        routes.Delete(ClientVersions.R0V3Unstable, "/room_keys/version/{version}", Delete).Named("delete_key_backup");
        routes.MapBackedUpKeys();
    }

    /// <summary>Versions are opaque to clients: what is no number is a version that does not exist.</summary>
    public static long Number(string version) =>
        long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;

    public static MatrixException Unknown() => MatrixError.NotFound("Unknown backup version").AsException();

    private static (string Algorithm, byte[] AuthData) Read(JsonElement request)
    {
        var algorithm = KeyJson.Id(request.RequiredString("algorithm"), "algorithm");
        // Synapse: auth_data is any JSON; it is for the client alone.
        if (!request.TryGetProperty("auth_data"u8, out var data)) throw MatrixError.MissingParam("Missing 'auth_data' parameter").AsException();
        var json = Encoding.UTF8.GetBytes(data.GetRawText());
        return json.Length <= MaxAuthData ? (algorithm, json) : throw MatrixError.TooLarge("'auth_data' is too large").AsException();
    }

    private static async Task<IResult> Create(JsonBody body, Requester requester, KeyBackupStore store, CancellationToken ct)
    {
        var (algorithm, data) = Read(body.AsObject());
        var version = await store.CreateAsync(requester.UserId.Value, algorithm, data, ct);
        return MatrixResults.Object(w => w.WriteString("version"u8, version.ToString(CultureInfo.InvariantCulture)));
    }

    private static async Task<IResult> GetNewest(Requester requester, KeyBackupStore store, CancellationToken ct) =>
        Answer(await store.FindAsync(requester.UserId.Value, null, ct) ?? throw MatrixError.NotFound("No current backup version").AsException());

    private static async Task<IResult> Get(string version, Requester requester, KeyBackupStore store, CancellationToken ct) =>
        Answer(await store.FindAsync(requester.UserId.Value, Number(version), ct) ?? throw Unknown());

    private static IResult Answer(Storage.Keys.KeyBackup backup) => MatrixResults.Object(w =>
    {
        w.WriteString("algorithm"u8, backup.Algorithm);
        w.WritePropertyName("auth_data"u8);
        w.WriteRawValue(backup.AuthData, skipInputValidation: true);
        WriteState(w, backup);
        w.WriteString("version"u8, backup.Version.ToString(CultureInfo.InvariantCulture));
    });

    public static void WriteState(Utf8JsonWriter w, Storage.Keys.KeyBackup backup)
    {
        w.WriteNumber("count"u8, backup.Count);
        w.WriteString("etag"u8, backup.Etag.ToString(CultureInfo.InvariantCulture));
    }

    private static async Task<IResult> Put(string version, JsonBody body, Requester requester, KeyBackupStore store, CancellationToken ct)
    {
        var request = body.AsObject();
        var (algorithm, data) = Read(request);
        if (request.StringOrNull("version") is { } named && named != version) throw MatrixError.InvalidParam("The version is not that of the path.").AsException();
        var backup = await store.FindAsync(requester.UserId.Value, Number(version), ct) ?? throw Unknown();
        if (backup.Algorithm != algorithm) throw MatrixError.InvalidParam("Algorithm does not match").AsException();
        await store.SetAuthDataAsync(requester.UserId.Value, backup.Version, data, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> Delete(string version, Requester requester, KeyBackupStore store, CancellationToken ct) =>
        await store.DeleteAsync(requester.UserId.Value, Number(version), ct) ? MatrixResults.Empty : throw Unknown();
}
