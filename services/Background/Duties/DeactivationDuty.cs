using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.Storage.Accounts;

namespace Matrix.Background.Duties;

/// <summary>Takes deactivated users out of the rooms that they could not leave at once, or whose instance ended on the way.</summary>
internal sealed class DeactivationDuty(DeactivationStore store, RoomDepartures departures, TimeProvider clock) : IBackgroundDuty
{
    private const int Portion = 20;

    public string Name => "leave_rooms_of_deactivated";
    public TimeSpan Interval => TimeSpan.FromMinutes(1);

    public async Task<int> RunAsync(CancellationToken ct)
    {
        var due = await store.TakeDueAsync(clock.GetUtcNow().ToUnixTimeMilliseconds(), Portion, ct);
        foreach (var user in due)
            if (await departures.LeaveAllAsync(new UserId(user), ct)) await store.DoneAsync(user, ct);
        return due.Count < Portion ? 0 : due.Count;
    }
}
