using Matrix.Crypto;
using Matrix.FederationClient.Rooms;
using Matrix.Primitives;
using Matrix.Storage.Rooms;

namespace Matrix.Rooms.Aliases;

/// <summary>Where an alias leads; those of other servers are asked for there. Spec: client-server-api/#room-aliases</summary>
public sealed class AliasResolver(RoomReader rooms, IRemoteRooms remote, ServerIdentity server)
{
    /// <summary>Whether no other server need be asked.</summary>
    public bool IsOwn(RoomAlias alias) => server.IsMine(alias.Value);

    /// <summary>Null: nowhere, or its server does not tell. The servers are those that another server names, and none for aliases of this one.</summary>
    public async ValueTask<RemoteAlias?> FindAsync(RoomAlias alias, CancellationToken ct)
    {
        if (!IsOwn(alias)) return await remote.FindAliasAsync(alias.Server, alias.Value, ct);
        return await rooms.AliasAsync(alias.Value, ct) is { } roomId ? new RemoteAlias(roomId, []) : null;
    }
}
