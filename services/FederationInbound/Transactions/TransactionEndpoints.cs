using System.Text;
using System.Text.Json;
using Matrix.FederationClient.Pdus;
using Matrix.FederationInbound.Authentication;
using Matrix.FederationInbound.Rooms;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;
using Matrix.Storage.Rooms;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.FederationInbound.Transactions;

/// <summary>Transactions of other servers. Spec: server-server-api/#transactions</summary>
internal static class TransactionEndpoints
{
    private const long MaxBytes = 8 * 1024 * 1024;

    public static void MapTransactions(this ClientRoutes routes) =>
        routes.Map("PUT", "/_matrix/federation/v1/send/{txnId}", SendAsync).Anonymous().BodyLimit(MaxBytes).Named("federation_send");

    private static async Task<IResult> SendAsync(string txnId, FederationRequest request, TransactionIntake intake, CancellationToken ct)
    {
        var faults = await intake.TakeAsync(request.Origin, request.Body.AsObject(), ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartObject("pdus");
            foreach (var (id, error) in faults)
            {
                w.WriteStartObject(id);
                if (error is not null) w.WriteString("error", error);
                w.WriteEndObject();
            }
            w.WriteEndObject();
        });
    }
}

/// <summary>Checks the events of a transaction as far as that needs no state, and keeps them in the database before anything is acknowledged.</summary>
internal sealed class TransactionIntake(
    RoomReader rooms, PduChecker checker, RoomAccess access, InboundStore store, EventGraphReader graph, InboundWork work, TimeProvider clock)
{
    private const int MaxPdus = 50, MaxEdus = 100;

    /// <summary>Every event that could be read, by id: null, or why it was not taken.</summary>
    public async Task<IReadOnlyDictionary<string, string?>> TakeAsync(string origin, JsonElement transaction, CancellationToken ct)
    {
        var pdus = Array(transaction, "pdus") ?? throw MatrixError.BadJson("A transaction has pdus.").AsException();
        if (pdus.Count > MaxPdus) throw MatrixError.BadJson($"A transaction has at most {MaxPdus} PDUs.").AsException();
        if (Array(transaction, "edus") is { Count: > MaxEdus }) throw MatrixError.BadJson($"A transaction has at most {MaxEdus} EDUs.").AsException();

        var faults = new Dictionary<string, string?>(StringComparer.Ordinal);
        var staged = new List<InboundPdu>(pdus.Count);
        foreach (var group in pdus.Where(p => p.ValueKind == JsonValueKind.Object).GroupBy(RoomOf))
        {
            if (group.Key is not { } roomId || await rooms.FindAsync(roomId, ct) is not { } room) continue;
            var allowed = await access.IsAllowedAsync(room.RoomNid, origin, ct);
            var json = group.Select(p => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(p.GetRawText())).ToList();
            var checks = await checker.CheckAllAsync(json, room.Version, roomId, signaturesChecked: false, ct);
            for (var i = 0; i < checks.Length; i++)
            {
                if (checks[i].EventId is not { } id) continue;
                faults[id] = checks[i].Pdu is null ? checks[i].Reason : allowed ? null : $"{origin} may not take part in this room.";
                if (faults[id] is null) staged.Add(new InboundPdu(roomId, id, origin, json[i].ToArray()));
            }
        }
        if (staged.Count == 0) return faults;
        var known = (await graph.FactsByIdsAsync([.. staged.Select(s => s.EventId)], ct)).Where(f => !f.IsOutlier).Select(f => f.EventId).ToHashSet();
        staged.RemoveAll(s => known.Contains(s.EventId));
        if (staged.Count == 0) return faults;
        await store.StageAsync(staged, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        foreach (var roomId in staged.Select(s => s.RoomId).Distinct()) work.Begin(roomId);
        return faults;
    }

    private static List<JsonElement>? Array(JsonElement o, string name) =>
        o.TryGetProperty(name, out var array) && array.ValueKind == JsonValueKind.Array ? [.. array.EnumerateArray()] : null;

    /// <summary>Null: nothing that could be the id of a room.</summary>
    private static string? RoomOf(JsonElement pdu)
    {
        try
        {
            return pdu.TryGetProperty("room_id", out var id) && id.ValueKind == JsonValueKind.String && RoomId.TryParse(id.GetString(), null, out var room) ? room.Value : null;
        }
        catch (InvalidOperationException)
        {
            // Text that is no Unicode.
            return null;
        }
    }
}
