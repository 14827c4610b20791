using static Matrix.Gateway.Routing.AffinityKind;
using static Matrix.Gateway.Routing.RouteClass;

namespace Matrix.Gateway.Routing.Rows;

/// <summary>
/// Ours, ahead of the documented rows. The documentation's <c>.*</c> runs across segments that a client chooses: a state event whose key is
/// "members", or a message whose transaction is called "messages", would be taken for a read. These rows name the segment that decides, so that no
/// value of a path parameter changes the service.
/// </summary>
internal static class FirstRows
{
    public static readonly RowList Rows = new(RowSource.Own)
    {
        // The gateway's own
        { OwnAnswer, @"^/_internal(/|$)" },
        { OwnAnswer, @"^/$" },
        { OwnAnswer, @"^/health$" },
        { OwnAnswer, @"^/\.well-known/matrix/(client|server|support)$" },

        // Events of a room
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/(send|state|redact)/" },
        { EventSend, Room, @"^/_matrix/client/(v3|unstable/org\.matrix\.msc4140)/rooms/[^/]+/delayed_event/" },
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/(join|knock|invite|leave|ban|unban|kick|upgrade)(/|$)" },
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/(join|knock)/" },
        { EventSend, User, @"^/_matrix/client/(api/v1|r0|v3|unstable|unstable/uk\.tcpip\.msc4133)/profile/" },
        { DelayedEvents, User, @"^/_matrix/client/(v1|unstable/org\.matrix\.msc4140)/delayed_events(/|$)" },
        { CreateRoom, @"^/_matrix/client/(api/v1|r0|v3|unstable)/createRoom(/|$)" },

        // What is read or said about a room
        { Receipts, User, @"^/_matrix/client/(r0|v3|unstable)/rooms/[^/]+/(receipt|read_markers)(/|$)" },
        { Typing, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/typing/" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v1|v3|unstable)/rooms/[^/]+/(context|event|relations|aliases)(/|$)" },
        { Client, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/(report|forget)(/|$)" },
        // A page and its state, of one room: nothing of it is what Sync holds.
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/initialSync$" },
    };
}
