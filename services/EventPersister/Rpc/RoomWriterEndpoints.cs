using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Replication.Rpc;
using Matrix.Rooms.Writing;
using Matrix.Web.Json;

namespace Matrix.EventPersister.Rpc;

/// <summary>The other end of <see cref="RemoteRoomWriter"/>.</summary>
internal static class RoomWriterEndpoints
{
    public static void MapRoomWriter(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapPost(RemoteRoomWriter.SendPath, (RequestDelegate)(context => HandleAsync(context, static async (writer, body, ct) =>
            await writer.SendAsync((JsonSerializer.Deserialize(body, RoomWriteJson.Default.RoomWriteBody) ?? throw Bad()).ToWrite(), ct)))).RequireInternalSecret();
        endpoints.MapPost(RemoteRoomWriter.MembershipPath, (RequestDelegate)(context => HandleAsync(context, static async (writer, body, ct) =>
            await writer.ChangeMembershipAsync(JsonSerializer.Deserialize(body, RoomWriteJson.Default.MembershipWrite) ?? throw Bad(), ct)))).RequireInternalSecret();
        endpoints.MapPost(RemoteRoomWriter.ThirdPartyPath, (RequestDelegate)(context => HandleAsync(context, static async (writer, body, ct) =>
            await writer.ExchangeThirdPartyInviteAsync(
                JsonSerializer.Deserialize(body, RoomWriteJson.Default.ThirdPartyExchangeWrite) ?? throw Bad(), ct)))).RequireInternalSecret();
        endpoints.MapPost(RemoteRoomWriter.CreationPath, (RequestDelegate)(context => HandleAsync(context, static async (writer, body, ct) =>
            await writer.CreateRoomAsync(
                JsonSerializer.Deserialize(body, RoomWriteJson.Default.RoomCreationWrite) ?? throw Bad(), ct), RoomWriteJson.Default.RoomCreated))).RequireInternalSecret();
    }

    private static Task HandleAsync(HttpContext context, Func<IRoomWriter, byte[], CancellationToken, Task<RoomWriteResult>> run) =>
        HandleAsync(context, run, RoomWriteJson.Default.RoomWriteResult);

    private static async Task HandleAsync<T>(HttpContext context, Func<IRoomWriter, byte[], CancellationToken, Task<T>> run, JsonTypeInfo<T> type)
    {
        var ct = context.RequestAborted;
        var body = await JsonBody.BindAsync(context);
        T result;
        try
        {
            result = await run(context.RequestServices.GetRequiredService<LocalRoomWriter>(), body.Bytes.ToArray(), ct);
        }
        catch (JsonException)
        {
            throw Bad();
        }
        if (result is RoomWriteResult { Position: > 0 and var position }) context.Response.AddPosition(Streams.Events, position);
        await MatrixResults.Json(result, type).ExecuteAsync(context);
    }

    private static MatrixException Bad() => MatrixError.BadJson("Not what a persister is asked with.").AsException();
}
