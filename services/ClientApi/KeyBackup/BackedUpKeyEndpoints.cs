using System.Globalization;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults.Edge;
using Matrix.Storage.Keys;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Keys;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.KeyBackup;

/// <summary>The keys in a backup: all of them, of a room, or one. Spec: client-server-api/#server-side-key-backups</summary>
internal static class BackedUpKeyEndpoints
{
    private const int MaxKeysAtOnce = 20_000, MaxSessionData = 64 * 1024;

    public static void MapBackedUpKeys(this ClientRoutes routes)
    {
        const string All = "/room_keys/keys", OfRoom = All + "/{roomId}", One = OfRoom + "/{sessionId}";
        routes.Put(ClientVersions.R0V3Unstable, All, PutAll).Named("put_backed_up_keys").BodyLimit(BodyLimits.Bulk);
        routes.Put(ClientVersions.R0V3Unstable, OfRoom, PutRoom).Named("put_backed_up_keys_of_room").BodyLimit(BodyLimits.Bulk);
        routes.Put(ClientVersions.R0V3Unstable, One, PutOne).Named("put_backed_up_key");
        routes.Get(ClientVersions.R0V3Unstable, All, GetAll).Named("get_backed_up_keys");
        routes.Get(ClientVersions.R0V3Unstable, OfRoom, GetRoom).Named("get_backed_up_keys_of_room");
        routes.Get(ClientVersions.R0V3Unstable, One, GetOne).Named("get_backed_up_key");
        routes.Delete(ClientVersions.R0V3Unstable, All, DeleteAll).Named("delete_backed_up_keys");
        routes.Delete(ClientVersions.R0V3Unstable, OfRoom, DeleteRoom).Named("delete_backed_up_keys_of_room");
        routes.Delete(ClientVersions.R0V3Unstable, One, DeleteOne).Named("delete_backed_up_key");
    }

    private static long Version(string? version) => string.IsNullOrEmpty(version)
        ? throw MatrixError.MissingParam("Missing 'version' parameter").AsException() : KeyBackupEndpoints.Number(version);

    // ---------------------------------------------------------------- storing

    private static Task<IResult> PutAll(string? version, JsonBody body, Requester requester, KeyBackupStore store, CancellationToken ct)
    {
        var keys = new List<BackedUpKey>();
        foreach (var room in body.AsObject().Object("rooms").EnumerateObject()) AddRoom(keys, room.Name, room.Value);
        return StoreAsync(version, keys, requester, store, ct);
    }

    private static Task<IResult> PutRoom(string roomId, string? version, JsonBody body, Requester requester, KeyBackupStore store, CancellationToken ct)
    {
        var keys = new List<BackedUpKey>();
        AddRoom(keys, roomId, body.AsObject());
        return StoreAsync(version, keys, requester, store, ct);
    }

    private static Task<IResult> PutOne(
        string roomId, string sessionId, string? version, JsonBody body, Requester requester, KeyBackupStore store, CancellationToken ct) =>
        StoreAsync(version, [Key(roomId, sessionId, body.AsObject())], requester, store, ct);

    private static void AddRoom(List<BackedUpKey> keys, string roomId, JsonElement room)
    {
        if (room.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("A room must be an object").AsException();
        foreach (var session in room.Object("sessions").EnumerateObject())
        {
            if (keys.Count == MaxKeysAtOnce) throw MatrixError.InvalidParam("Too many keys at once.").AsException();
            keys.Add(Key(roomId, session.Name, session.Value));
        }
    }

    private static BackedUpKey Key(string roomId, string sessionId, JsonElement key)
    {
        if (key.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("A key must be an object").AsException();
        var index = key.IntOrNull("first_message_index") ?? throw MatrixError.BadJson("Missing 'first_message_index'").AsException();
        var forwarded = key.IntOrNull("forwarded_count") ?? throw MatrixError.BadJson("Missing 'forwarded_count'").AsException();
        var verified = key.BoolOrNull("is_verified") ?? throw MatrixError.BadJson("Missing 'is_verified'").AsException();
        // Synapse: session_data is any JSON; it is for the client alone.
        if (!key.TryGetProperty("session_data"u8, out var data)) throw MatrixError.BadJson("Missing 'session_data'").AsException();
        var json = Encoding.UTF8.GetBytes(data.GetRawText());
        if (json.Length > MaxSessionData) throw MatrixError.TooLarge("'session_data' is too large").AsException();
        return new BackedUpKey(KeyJson.Id(roomId, "room id"), KeyJson.Id(sessionId, "session id"), index, forwarded, verified, json);
    }

    private static async Task<IResult> StoreAsync(string? version, List<BackedUpKey> keys, Requester requester, KeyBackupStore store, CancellationToken ct)
    {
        // One key of a session in one request; the last one counts, as with any JSON member that is there twice.
        var distinct = keys.GroupBy(k => (k.RoomId, k.SessionId)).Select(g => g.Last()).ToList();
        var (newest, asked) = await store.PutAsync(requester.UserId.Value, Version(version), distinct, ct);
        if (newest is null || asked is null) throw KeyBackupEndpoints.Unknown();
        if (newest.Version != asked.Version)
            throw MatrixError.Custom(403, "M_WRONG_ROOM_KEYS_VERSION", "Wrong backup version.")
                .With("current_version", $"\"{newest.Version.ToString(CultureInfo.InvariantCulture)}\"").AsException();
        return State(asked);
    }

    private static IResult State(Storage.Keys.KeyBackup backup) => MatrixResults.Object(w => KeyBackupEndpoints.WriteState(w, backup));

    // ---------------------------------------------------------------- reading

    private static async Task<List<BackedUpKey>> FindAsync(
        string? version, string? roomId, string? sessionId, Requester requester, KeyBackupStore store, CancellationToken ct) =>
        await store.GetAsync(requester.UserId.Value, Version(version), roomId, sessionId, ct) ?? throw KeyBackupEndpoints.Unknown();

    private static async Task<IResult> GetAll(string? version, Requester requester, KeyBackupStore store, CancellationToken ct)
    {
        var keys = await FindAsync(version, null, null, requester, store, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartObject("rooms"u8);
            foreach (var room in keys.GroupBy(k => k.RoomId, StringComparer.Ordinal))
            {
                w.WriteStartObject(room.Key);
                WriteSessions(w, room);
                w.WriteEndObject();
            }
            w.WriteEndObject();
        });
    }

    private static async Task<IResult> GetRoom(string roomId, string? version, Requester requester, KeyBackupStore store, CancellationToken ct)
    {
        var keys = await FindAsync(version, KeyJson.Id(roomId, "room id"), null, requester, store, ct);
        return MatrixResults.Object(w => WriteSessions(w, keys));
    }

    private static async Task<IResult> GetOne(
        string roomId, string sessionId, string? version, Requester requester, KeyBackupStore store, CancellationToken ct)
    {
        var keys = await FindAsync(version, KeyJson.Id(roomId, "room id"), KeyJson.Id(sessionId, "session id"), requester, store, ct);
        if (keys.Count == 0) throw MatrixError.NotFound("No room_keys found").AsException();
        return MatrixResults.Object(w => WriteKey(w, keys[0]));
    }

    private static void WriteSessions(Utf8JsonWriter w, IEnumerable<BackedUpKey> keys)
    {
        w.WriteStartObject("sessions"u8);
        foreach (var key in keys)
        {
            w.WriteStartObject(key.SessionId);
            WriteKey(w, key);
            w.WriteEndObject();
        }
        w.WriteEndObject();
    }

    private static void WriteKey(Utf8JsonWriter w, BackedUpKey key)
    {
        w.WriteNumber("first_message_index"u8, key.FirstMessageIndex);
        w.WriteNumber("forwarded_count"u8, key.ForwardedCount);
        w.WriteBoolean("is_verified"u8, key.IsVerified);
        w.WritePropertyName("session_data"u8);
        w.WriteRawValue(key.Data, skipInputValidation: true);
    }

    // ---------------------------------------------------------------- deleting

    private static Task<IResult> DeleteAll(string? version, Requester requester, KeyBackupStore store, CancellationToken ct) =>
        RemoveAsync(version, null, null, requester, store, ct);

    private static Task<IResult> DeleteRoom(string roomId, string? version, Requester requester, KeyBackupStore store, CancellationToken ct) =>
        RemoveAsync(version, KeyJson.Id(roomId, "room id"), null, requester, store, ct);

    private static Task<IResult> DeleteOne(
        string roomId, string sessionId, string? version, Requester requester, KeyBackupStore store, CancellationToken ct) =>
        RemoveAsync(version, KeyJson.Id(roomId, "room id"), KeyJson.Id(sessionId, "session id"), requester, store, ct);

    private static async Task<IResult> RemoveAsync(
        string? version, string? roomId, string? sessionId, Requester requester, KeyBackupStore store, CancellationToken ct) =>
        State(await store.DeleteKeysAsync(requester.UserId.Value, Version(version), roomId, sessionId, ct) ?? throw KeyBackupEndpoints.Unknown());
}
