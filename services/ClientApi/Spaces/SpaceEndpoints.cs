using System.Globalization;
using System.Text;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Aliases;
using Matrix.Rooms.Spaces;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Mvc;

namespace Matrix.ClientApi.Spaces;

/// <summary>Space trees and room summaries. Spec: client-server-api/#server-behaviour-15 (spaces), openapi/client-server/room_summary.yaml</summary>
internal static class SpaceEndpoints
{
    // Synapse: the same sizes.
    private const int DefaultLimit = 50;
    private const int MaxLimit = 50;

    public static void MapSpaces(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.V1, "/rooms/{roomId}/hierarchy", GetHierarchy).AllowGuests().Named("get_space_hierarchy");
        routes.Get(ClientVersions.V1, "/room_summary/{roomIdOrAlias}", GetSummary).OptionalAuth().AllowGuests().Named("get_room_summary");
        routes.Get(ClientVersions.Unstable, "/im.nheko.summary/summary/{roomIdOrAlias}", GetUnstableSummary).OptionalAuth().AllowGuests().Named("get_room_summary");
        routes.Get(ClientVersions.Unstable, "/im.nheko.summary/rooms/{roomIdOrAlias}/summary", GetUnstableSummary).OptionalAuth().AllowGuests().Named("get_room_summary");
    }

    private static async Task<IResult> GetHierarchy(
        string roomId, [FromQuery(Name = "suggested_only")] bool? suggestedOnly, int? limit, [FromQuery(Name = "max_depth")] int? maxDepth, string? from,
        Requester requester, SpaceTree tree, CancellationToken ct)
    {
        if (limit < 1) throw MatrixError.InvalidParam("'limit' must be greater than zero").AsException();
        if (maxDepth < 0) throw MatrixError.InvalidParam("'max_depth' must not be negative").AsException();
        var take = Math.Min(limit ?? DefaultLimit, MaxLimit);
        var page = HierarchyToken.Read(from, new HierarchyToken(roomId, 0, suggestedOnly ?? false, maxDepth));
        var rooms = await tree.WalkAsync(roomId, requester.UserId.Value, maxDepth, suggestedOnly ?? false, ct);
        if (rooms.Count == 0) throw MatrixError.Forbidden("You are not allowed to view this room.").AsException();
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("rooms"u8);
            foreach (var room in rooms.Skip(page.Offset).Take(take))
                room.Write(w);
            w.WriteEndArray();
            if (page.Offset + take < rooms.Count) w.WriteString("next_batch"u8, (page with { Offset = page.Offset + take }).ToString());
        });
    }

    private static Task<IResult> GetSummary(
        string roomIdOrAlias, string[] via, Requester? requester, RoomSummaries summaries, RemoteSpaces remote, AliasResolver aliases, CancellationToken ct) =>
        SummaryAsync(roomIdOrAlias, via, requester, summaries, remote, aliases, unstable: false, ct);

    private static Task<IResult> GetUnstableSummary(
        string roomIdOrAlias, string[] via, Requester? requester, RoomSummaries summaries, RemoteSpaces remote, AliasResolver aliases, CancellationToken ct) =>
        SummaryAsync(roomIdOrAlias, via, requester, summaries, remote, aliases, unstable: true, ct);

    /// <summary>Null: nobody knows the room, or the user (null: anybody) may not know of it.</summary>
    private static async Task<RoomSummary?> FindAsync(
        string roomId, string[] via, string? userId, RoomSummaries summaries, RemoteSpaces remote, CancellationToken ct)
    {
        var known = await summaries.OfAsync([roomId], userId, ct);
        // Nobody without an account has this server ask others.
        if (!known.Exists(r => r.HasState) && userId is not null && await remote.FindAsync(roomId, [.. via, .. SpaceTree.ServersOf(roomId)], suggestedOnly: false, ct) is { } space)
            known = [space.Room.Summary.For(known.FirstOrDefault()?.Membership)];
        return (await summaries.VisibleAsync(known, userId, ct)).FirstOrDefault();
    }

    private static async Task<IResult> SummaryAsync(
        string roomIdOrAlias, string[] via, Requester? requester, RoomSummaries summaries, RemoteSpaces remote, AliasResolver aliases, bool unstable, CancellationToken ct)
    {
        string? roomId = null;
        if (RoomId.TryParse(roomIdOrAlias, null, out var id)) roomId = id.Value;
        else if (RoomAlias.TryParse(roomIdOrAlias, null, out var alias))
        {
            // Nobody without an account has this server ask others.
            var found = requester is not null || aliases.IsOwn(alias) ? await aliases.FindAsync(alias, ct) : null;
            roomId = found?.RoomId;
            via = [.. via, .. found?.Servers ?? [], alias.Server];
        }
        else throw MatrixError.InvalidParam($"{roomIdOrAlias} was not legal room ID or room alias").AsException();
        var summary = (roomId is null ? null : await FindAsync(roomId, via, requester?.UserId.Value, summaries, remote, ct)) ?? throw MatrixError.NotFound("Room not found.").AsException();
        return MatrixResults.Object(w =>
        {
            summary.Write(w);
            if (requester is not null) w.WriteString("membership"u8, summary.Membership ?? Memberships.Leave);
            if (!unstable) return;
            if (summary.VersionId is { } version)
            {
                w.WriteString("im.nheko.summary.room_version"u8, version);
                w.WriteString("im.nheko.summary.version"u8, version);
            }
            if (summary.Encryption is not null) w.WriteString("im.nheko.summary.encryption"u8, summary.Encryption);
        });
    }
}

/// <summary>Where a walk stands. The tree is walked anew for each page; what was asked for first may not change.</summary>
internal sealed record HierarchyToken(string RoomId, int Offset, bool SuggestedOnly, int? MaxDepth)
{
    public override string ToString() => UnpaddedBase64.EncodeUrl(Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"h1 {Offset} {(SuggestedOnly ? 1 : 0)} {MaxDepth ?? -1} {RoomId}")));

    /// <param name="first">What the request says, at the beginning.</param>
    public static HierarchyToken Read(string? text, HierarchyToken first)
    {
        if (string.IsNullOrEmpty(text)) return first;
        if (!UnpaddedBase64.TryDecodeUrl(text, out var bytes) || Encoding.UTF8.GetString(bytes).Split(' ', 5) is not ["h1", var offset, var suggested, var depth, var room]
            || !int.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
            || !int.TryParse(depth, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var maxDepth))
            throw MatrixError.InvalidParam("Unknown 'from' token.").AsException();
        var token = new HierarchyToken(room, at, suggested == "1", maxDepth < 0 ? null : maxDepth);
        return token with { Offset = 0 } == first ? token
            : throw MatrixError.InvalidParam("suggested_only and max_depth cannot change on paginated requests").AsException();
    }
}
