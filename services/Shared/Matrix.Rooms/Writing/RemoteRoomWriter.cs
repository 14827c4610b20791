using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Matrix.Replication;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Rooms.Writing;

/// <summary>Asks the persister that the room's hash names. The answer comes when this process has the events of it, or nearly.</summary>
public sealed class RemoteRoomWriter(IInternalRpc rpc) : IRoomWriter
{
    public const string SendPath = "/_internal/rpc/rooms/send";
    public const string MembershipPath = "/_internal/rpc/rooms/membership";
    public const string ThirdPartyPath = "/_internal/rpc/rooms/third_party";
    public const string CreationPath = "/_internal/rpc/rooms/create";
    private const string Service = "eventpersister";

    public Task<RoomWriteResult> SendAsync(RoomWrite write, CancellationToken ct) =>
        CallAsync(write.RoomId, SendPath, RoomWriteBody.Of(write), RoomWriteJson.Default.RoomWriteBody, ct);

    public Task<RoomWriteResult> ChangeMembershipAsync(MembershipWrite write, CancellationToken ct) =>
        CallAsync(write.RoomId, MembershipPath, write, RoomWriteJson.Default.MembershipWrite, ct);

    public Task<RoomWriteResult> ExchangeThirdPartyInviteAsync(ThirdPartyExchangeWrite write, CancellationToken ct) =>
        CallAsync(write.RoomId, ThirdPartyPath, write, RoomWriteJson.Default.ThirdPartyExchangeWrite, ct);

    public Task<RoomCreated> CreateRoomAsync(RoomCreationWrite write, CancellationToken ct) =>
        CallAsync(write.Creator, CreationPath, write, RoomWriteJson.Default.RoomCreationWrite, RoomWriteJson.Default.RoomCreated, ct);

    private Task<RoomWriteResult> CallAsync<T>(string roomId, string path, T body, JsonTypeInfo<T> type, CancellationToken ct) =>
        CallAsync(roomId, path, body, type, RoomWriteJson.Default.RoomWriteResult, ct);

    private async Task<TAnswer> CallAsync<T, TAnswer>(string key, string path, T body, JsonTypeInfo<T> type, JsonTypeInfo<TAnswer> answerType, CancellationToken ct)
    {
        var answer = await rpc.PostAsync(Service, key, path, JsonSerializer.SerializeToUtf8Bytes(body, type), ct);
        return JsonSerializer.Deserialize(answer, answerType) ?? throw new InvalidDataException("A persister answered nothing.");
    }
}

public static class RoomWriterServices
{
    /// <summary>For services other than the persister. In the monolith the persister's own takes its place, whatever the order.</summary>
    public static IServiceCollection AddRemoteRoomWriter(this IServiceCollection services)
    {
        services.TryAddSingleton<IRoomWriter, RemoteRoomWriter>();
        return services;
    }
}
