using Matrix.Primitives;
using Matrix.Rooms.Aliases;

namespace Matrix.EventPersister.Membership;

/// <summary>What stands where a room id or an alias may stand.</summary>
internal sealed class RoomAddresses(AliasResolver aliases)
{
    public async ValueTask<string> ResolveAsync(string roomIdOrAlias, CancellationToken ct)
    {
        if (RoomId.TryParse(roomIdOrAlias, null, out var id)) return id.Value;
        if (!RoomAlias.TryParse(roomIdOrAlias, null, out var alias))
            throw MatrixError.InvalidParam($"{roomIdOrAlias} was not legal room ID or room alias").AsException();
        return (await aliases.FindAsync(alias, ct))?.RoomId ?? throw MatrixError.NotFound($"Room alias {alias} not found").AsException();
    }
}
