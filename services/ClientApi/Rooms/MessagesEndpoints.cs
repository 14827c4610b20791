using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Rooms;

/// <summary>Pagination of a room's timeline. Spec: client-server-api/#get_matrixclientv3roomsroomidmessages</summary>
internal static class MessagesEndpoints
{
    public static void MapMessages(this ClientRoutes routes) =>
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/rooms/{roomId}/messages", Get).AllowGuests().Named("get_messages");

    private static async Task<IResult> Get(
        string roomId, string? dir, string? from, string? to, int? limit, string? filter, Requester requester, RoomAccess access, RoomPager pager,
        EventAnswers answers, CancellationToken ct)
    {
        // Synapse: forwards unless told otherwise; the parameter was optional once.
        if (dir is not (null or "f" or "b")) throw MatrixError.InvalidParam("'dir' must be 'f' or 'b'").AsException();
        var backwards = dir == "b";
        var request = new PageRequest(backwards, PositionOf(from, "from"), PositionOf(to, "to"), PageRequest.LimitOf(limit), PageRequest.FilterOf(filter));
        var view = await access.RequireAsync(roomId, requester.UserId, ct);
        var page = await pager.ReadAsync(view, requester.UserId, request, ct);
        var members = request.Filter.LazyLoadMembers ? await pager.MembersForAsync(page.Events, ct) : null;

        var answer = new AnswerBuffer(await answers.BundlingRendererAsync(requester, view, page.Events, members ?? [], ct))
            .Events("chunk"u8, page.Events);
        // Synapse: only a page with nothing on it is the end, so that there is a token to come back with.
        var goesOn = page.HasMore || page.Events.Count > 0;
        answer.Token("start"u8, StartOf(request, page, from)).Token("end"u8, goesOn ? StreamToken.After(page.Edge) : null);
        if (members is not null) answer.Events("state"u8, members);
        return answer.Answer();
    }

    private static long? PositionOf(string? token, string parameter) =>
        string.IsNullOrEmpty(token) ? null
        : StreamToken.FromClient(token, parameter).Events ?? throw MatrixError.InvalidParam($"Invalid '{parameter}' token.").AsException();

    /// <summary>The token that was given; else where the page began.</summary>
    private static StreamToken StartOf(PageRequest request, RoomPage page, string? from)
    {
        if (!string.IsNullOrEmpty(from)) return StreamToken.FromClient(from, "from");
        if (page.Events.Count == 0) return StreamToken.After(request.Backwards ? page.Edge : 0);
        var first = page.Events[0].Position!.Value;
        return request.Backwards ? StreamToken.After(first) : StreamToken.Before(first);
    }
}
