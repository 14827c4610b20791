using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Membership;

/// <summary>What stands where a room id or an alias may stand.</summary>
internal sealed class RoomAddresses(RoomReader rooms, ServerIdentity server)
{
    public async ValueTask<string> ResolveAsync(string roomIdOrAlias, CancellationToken ct)
    {
        if (RoomId.TryParse(roomIdOrAlias, null, out var id)) return id.Value;
        if (!RoomAlias.TryParse(roomIdOrAlias, null, out var alias))
            throw MatrixError.InvalidParam($"{roomIdOrAlias} was not legal room ID or room alias").AsException();
        var room = server.IsMine(alias.Value) ? await rooms.AliasAsync(alias.Value, ct) : null;
        return room ?? throw MatrixError.NotFound($"Room alias {alias} not found").AsException();
    }
}
