using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.Storage.Rooms;

namespace Matrix.Background.Duties;

/// <summary>
/// Keeps the forward extremities of rooms few: where there are many, a member of this server sends an event that shows nothing and cites them. Every
/// event of a room with many ends costs a state resolution, here and elsewhere.
/// </summary>
internal sealed partial class JoinForksDuty(ForkStore forks, IRoomWriter writer, HomeserverName server, ILogger<JoinForksDuty> log) : IBackgroundDuty
{
    /// <summary>Synapse: rooms with more ends than this get one.</summary>
    private const int MaxExtremities = 10;
    private const int RoomsAtOnce = 20, SendersTried = 5;

    private static readonly byte[] EmptyObject = "{}"u8.ToArray();
    /// <summary>Rooms in which nobody of ours may send; they are left in peace until the process starts again or one of its ends goes.</summary>
    private readonly HashSet<string> barred = new(StringComparer.Ordinal);

    public string Name => "join_forks";
    public TimeSpan Interval => TimeSpan.FromMinutes(1);

    public async Task<int> RunAsync(CancellationToken ct)
    {
        var found = await forks.RoomsAsync(MaxExtremities, RoomsAtOnce + barred.Count, ct);
        barred.IntersectWith(found);
        var joined = 0;
        foreach (var room in found.Where(r => !barred.Contains(r)).Take(RoomsAtOnce).ToList())
        {
            if (await SendAsync(room, ct)) joined++;
            else barred.Add(room);
        }
        return joined;
    }

    private async Task<bool> SendAsync(string roomId, CancellationToken ct)
    {
        foreach (var sender in await forks.MembersAsync(roomId, server.Value, SendersTried, ct))
        {
            try
            {
                await writer.SendAsync(new RoomWrite(roomId, sender, [new EventToSend(EventTypes.Dummy, null, EmptyObject)]), ct);
                return true;
            }
            catch (MatrixException e)
            {
                LogRefused(log, sender, roomId, e.Error.Message);
            }
        }
        return false;
    }

    [LoggerMessage(6020, LogLevel.Information, "{Sender} cannot join the ends of {RoomId}: {Reason}")]
    private static partial void LogRefused(ILogger log, string sender, string roomId, string reason);
}

/// <summary>The name of this server, without the keys that come with it elsewhere.</summary>
internal sealed record HomeserverName(string Value);
