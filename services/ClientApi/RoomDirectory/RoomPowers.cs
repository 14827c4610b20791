using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Rooms;

namespace Matrix.ClientApi.RoomDirectory;

/// <summary>Power in a room by its current state, from the database.</summary>
internal sealed class RoomPowers(RoomReader rooms)
{
    private static readonly StateKey[] Keys = [new(EventTypes.Create, ""), new(EventTypes.PowerLevels, "")];

    /// <summary>Whether the user, who must be joined, may send such a state event.</summary>
    public async Task<bool> MaySetStateAsync(long roomNid, string roomId, UserId user, string type, CancellationToken ct)
    {
        if (await rooms.MembershipAsync(roomId, user.Value, ct) is not { Membership: Memberships.Join }) return false;
        var state = await rooms.CurrentStateAsync([roomNid], Keys, ct);
        var create = state.FirstOrDefault(e => e.Pdu.Type == EventTypes.Create)?.Pdu;
        if (create is null) return false;
        var powers = PowerLevels.Read(create, state.FirstOrDefault(e => e.Pdu.Type == EventTypes.PowerLevels)?.Pdu);
        return powers.Of(user.Value) >= powers.ToSend(type, isState: true);
    }
}
