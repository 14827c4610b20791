using Matrix.Events;
using Matrix.Storage.Federation;
using Matrix.Storage.Rooms;
using Matrix.Storage.Spaces;

namespace Matrix.Rooms.Spaces;

/// <summary>Describes rooms of this server. Rooms that are not known here are omitted.</summary>
public sealed class RoomSummaries(RoomFactsReader facts, RoomReader rooms, ServerMembers servers)
{
    private static readonly StateKey[] Keys =
    [
        new(EventTypes.Name, ""), new(EventTypes.Topic, ""), new(EventTypes.CanonicalAlias, ""), new(EventTypes.Avatar, ""), new(EventTypes.Create, ""),
        new(EventTypes.JoinRules, ""), new(EventTypes.HistoryVisibility, ""), new(EventTypes.GuestAccess, ""), new(EventTypes.Encryption, ""),
    ];

    /// <summary>All of them, whoever may know of them. Two queries.</summary>
    /// <param name="userId">Whose memberships; null: nobody's.</param>
    public async Task<List<RoomSummary>> OfAsync(IReadOnlyCollection<string> roomIds, string? userId, CancellationToken ct)
    {
        var known = (await facts.OfAsync(roomIds, userId, ct)).ConvertAll(f => new RoomSummary(f));
        var byNid = known.ToDictionary(r => r.RoomNid);
        foreach (var e in await rooms.CurrentStateAsync(byNid.Keys, Keys, ct)) byNid[e.RoomNid].Apply(e.Pdu);
        return known;
    }

    /// <summary>Those that the user (null: anybody) may know of.</summary>
    public async Task<List<RoomSummary>> VisibleAsync(IReadOnlyCollection<string> roomIds, string? userId, CancellationToken ct) =>
        await VisibleAsync(await OfAsync(roomIds, userId, ct), userId, ct);

    /// <summary>Those of the rooms, of this server or of others, that the user (null: anybody) may know of. One query.</summary>
    public async Task<List<RoomSummary>> VisibleAsync(List<RoomSummary> of, string? userId, CancellationToken ct)
    {
        if (userId is null) return of.FindAll(r => r.HasState && r.IsOpenToAll);
        var joined = await facts.JoinedOfAsync(userId, [.. of.SelectMany(r => r.Required).Distinct(StringComparer.Ordinal)], ct);
        return of.FindAll(r => r.HasState && r.IsOpenTo(joined));
    }

    /// <summary>Of rooms with their state, those that users of that server may enter or look into. One query.</summary>
    public async Task<List<RoomSummary>> OpenToServerAsync(List<RoomSummary> of, string server, CancellationToken ct)
    {
        var (joined, invited) = await servers.RoomsOfAsync(server, [.. of.SelectMany(r => r.Required.Append(r.RoomId)).Distinct(StringComparer.Ordinal)], ct);
        return of.FindAll(r => r.HasState && (r.IsOpenToAll || joined.Contains(r.RoomId) || invited.Contains(r.RoomId) || r.Required.Any(joined.Contains)));
    }
}
