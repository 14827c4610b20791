using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;
using Microsoft.Extensions.Logging;

namespace Matrix.FederationClient.Rooms;

/// <summary>Over signed HTTP, each answer with a limit of its own. Spec: server-server-api/#retrieving-events, #backfilling-and-retrieving-missing-events</summary>
public sealed partial class RemoteRooms(FederationHttp http, ILogger<RemoteRooms> log) : IRemoteRooms
{
    /// <summary>An event, its envelope and what people write around it.</summary>
    private const int MaxEventBytes = 256 * 1024;
    private const int MaxIdLength = 255;
    private const int MaxServers = 50;
    private const int MaxPageBytes = 16 * 1024 * 1024;
    private const int MaxIdsBytes = 64 * 1024 * 1024;
    private const int MaxStateBytes = 512 * 1024 * 1024;

    public async Task<IReadOnlyList<ReadOnlyMemory<byte>>?> GetMissingEventsAsync(
        string server, string roomId, IReadOnlyCollection<string> earliest, IReadOnlyCollection<string> latest, int limit, long minDepth, CancellationToken ct)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(body))
        {
            w.WriteStartObject();
            Write(w, "earliest_events", earliest);
            Write(w, "latest_events", latest);
            w.WriteNumber("limit", limit);
            w.WriteNumber("min_depth", minDepth);
            w.WriteEndObject();
        }
        var answer = await AskAsync(server, HttpMethod.Post, $"/_matrix/federation/v1/get_missing_events/{E(roomId)}", body.WrittenMemory, MaxPageBytes, ct);
        return Read(answer, server, root => Objects(root, "events")?.Take(limit).ToList());
    }

    public async Task<RemoteStateIds?> GetStateIdsAsync(string server, string roomId, string eventId, CancellationToken ct)
    {
        var answer = await AskAsync(server, HttpMethod.Get, $"/_matrix/federation/v1/state_ids/{E(roomId)}?event_id={E(eventId)}", null, MaxIdsBytes, ct);
        return Read(answer, server, static root => Texts(root, "pdu_ids") is { } state && Texts(root, "auth_chain_ids") is { } auth ? new RemoteStateIds(state, auth) : null);
    }

    public async Task<RemoteState?> GetStateAsync(string server, string roomId, string eventId, CancellationToken ct)
    {
        var answer = await AskAsync(server, HttpMethod.Get, $"/_matrix/federation/v1/state/{E(roomId)}?event_id={E(eventId)}", null, MaxStateBytes, ct);
        return Read(answer, server, static root => Objects(root, "pdus") is { } state && Objects(root, "auth_chain") is { } auth ? new RemoteState(state, auth) : null);
    }

    public async Task<ReadOnlyMemory<byte>?> GetEventAsync(string server, string eventId, CancellationToken ct)
    {
        var answer = await AskAsync(server, HttpMethod.Get, $"/_matrix/federation/v1/event/{E(eventId)}", null, MaxEventBytes, ct);
        return Read(answer, server, static root => Objects(root, "pdus")) is [var first, ..] ? first : default(ReadOnlyMemory<byte>?);
    }

    public async Task<IReadOnlyList<ReadOnlyMemory<byte>>?> GetEventAuthAsync(string server, string roomId, string eventId, CancellationToken ct)
    {
        var answer = await AskAsync(server, HttpMethod.Get, $"/_matrix/federation/v1/event_auth/{E(roomId)}/{E(eventId)}", null, MaxPageBytes, ct);
        return Read(answer, server, static root => Objects(root, "auth_chain"));
    }

    public async Task<IReadOnlyList<ReadOnlyMemory<byte>>?> BackfillAsync(
        string server, string roomId, IReadOnlyCollection<string> from, int limit, CancellationToken ct)
    {
        var target = new StringBuilder($"/_matrix/federation/v1/backfill/{E(roomId)}?limit={limit.ToString(CultureInfo.InvariantCulture)}");
        foreach (var id in from) target.Append("&v=").Append(E(id));
        var answer = await AskAsync(server, HttpMethod.Get, target.ToString(), null, MaxPageBytes, ct);
        return Read(answer, server, root => Objects(root, "pdus")?.Take(limit).ToList());
    }

    public async Task<ReadOnlyMemory<byte>?> GetHierarchyAsync(string server, string roomId, bool suggestedOnly, CancellationToken ct)
    {
        var answer = await AskAsync(server, HttpMethod.Get, $"/_matrix/federation/v1/hierarchy/{E(roomId)}?suggested_only={(suggestedOnly ? "true" : "false")}", null, MaxPageBytes, ct);
        return answer is not null && CanonicalJson.ToArray(answer, out _, strict: false) is { } canonical && CanonicalValue.IsObject(canonical) ? canonical : default(ReadOnlyMemory<byte>?);
    }

    public async Task<RemoteEventTime?> FindByTimeAsync(string server, string roomId, long ts, bool backwards, CancellationToken ct)
    {
        var target = $"/_matrix/federation/v1/timestamp_to_event/{E(roomId)}?ts={ts.ToString(CultureInfo.InvariantCulture)}&dir={(backwards ? 'b' : 'f')}";
        var answer = await AskAsync(server, HttpMethod.Get, target, null, MaxEventBytes, ct);
        return Read(answer, server, static root =>
            root.TryGetProperty("event_id", out var id) && id.ValueKind == JsonValueKind.String && id.GetString() is ['$', ..] and { Length: <= MaxIdLength } eventId
            && root.TryGetProperty("origin_server_ts", out var at) && at.ValueKind == JsonValueKind.Number && at.TryGetInt64(out var ts) ? new RemoteEventTime(eventId, ts) : null);
    }

    public async Task<RemoteAlias?> FindAliasAsync(string server, string alias, CancellationToken ct)
    {
        var answer = await AskAsync(server, HttpMethod.Get, $"/_matrix/federation/v1/query/directory?room_alias={E(alias)}", null, MaxEventBytes, ct);
        return Read(answer, server, static root =>
            root.TryGetProperty("room_id", out var id) && id.ValueKind == JsonValueKind.String && RoomId.TryParse(id.GetString(), null, out var roomId)
            && Texts(root, "servers") is { } servers
                ? new RemoteAlias(roomId.Value, [.. servers.Where(s => ServerName.TryParse(s, null, out _)).Distinct(StringComparer.Ordinal).Take(MaxServers)]) : null);
    }

    private async Task<byte[]?> AskAsync(string server, HttpMethod method, string target, ReadOnlyMemory<byte>? content, int limit, CancellationToken ct)
    {
        try
        {
            var answer = await http.SendAsync(server, method, target, content, limit, ct);
            if (answer.Status == HttpStatusCode.OK && answer.Body is not null) return answer.Body;
            LogNoAnswer(server, target, answer.Body is null ? "the answer is too long" : $"status {(int)answer.Status}");
        }
        catch (FederationUnreachableException e)
        {
            LogNoAnswer(server, target, e.Message);
        }
        return null;
    }

    private T? Read<T>(byte[]? answer, string server, Func<JsonElement, T?> read) where T : class
    {
        if (answer is null) return null;
        try
        {
            using var document = JsonDocument.Parse(answer, new JsonDocumentOptions { MaxDepth = 128 });
            if (document.RootElement.ValueKind == JsonValueKind.Object && read(document.RootElement) is { } value) return value;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Said below.
        }
        LogNoAnswer(server, "", "the answer is not what the specification says");
        return null;
    }

    /// <summary>Bytes of the objects of an array; null when there is no array. What is no object is left out.</summary>
    private static List<ReadOnlyMemory<byte>>? Objects(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var array) || array.ValueKind != JsonValueKind.Array) return null;
        var objects = new List<ReadOnlyMemory<byte>>(array.GetArrayLength());
        foreach (var o in array.EnumerateArray())
            if (o.ValueKind == JsonValueKind.Object) objects.Add(Encoding.UTF8.GetBytes(o.GetRawText()));
        return objects;
    }

    private static List<string>? Texts(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var array) || array.ValueKind != JsonValueKind.Array) return null;
        var texts = new List<string>(array.GetArrayLength());
        foreach (var o in array.EnumerateArray()) if (o.ValueKind == JsonValueKind.String) texts.Add(o.GetString()!);
        return texts;
    }

    private static void Write(Utf8JsonWriter w, string name, IReadOnlyCollection<string> ids)
    {
        w.WriteStartArray(name);
        foreach (var id in ids) w.WriteStringValue(id);
        w.WriteEndArray();
    }

    private static string E(string part) => Uri.EscapeDataString(part);

    [LoggerMessage(10, LogLevel.Information, "{Server} does not tell {Target}: {Reason}")]
    private partial void LogNoAnswer(string server, string target, string reason);
}
