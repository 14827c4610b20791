using static Matrix.Gateway.Routing.AffinityKind;
using static Matrix.Gateway.Routing.RouteClass;

namespace Matrix.Gateway.Routing.Rows;

/// <summary>
/// What the newest worker documentation (July 2026) has and that of 2022 has not, verbatim and in its order.
/// </summary>
internal static class PageNewestRows
{
    public static readonly RowList Rows = new(RowSource.PageNewest)
    {
        // generic_worker > Federation requests
        { FederationIn, @"^/_matrix/federation/v1/version$" },
        { FederationIn, @"^/_matrix/federation/v1/make_knock/" },
        { FederationIn, @"^/_matrix/federation/v1/send_knock/" },
        { FederationIn, @"^/_matrix/federation/v1/timestamp_to_event/" },

        // generic_worker > Client API requests
        { ClientRead, @"^/_matrix/client/(v1|unstable)/rooms/.*/relations/" },
        { ClientRead, @"^/_matrix/client/v1/rooms/.*/threads$" },
        { ClientRead, @"^/_matrix/client/unstable/im.nheko.summary/summary/.*$" },
        { ClientRead, @"^/_matrix/client/v1/room_summary/.*$" },
        { ClientRead, @"^/_matrix/client/(r0|v3|unstable)/account/deactivate$" },
        { DeviceLists, User, @"^/_matrix/client/(r0|v3)/delete_devices$" },
        { ClientRead, None, MethodSet.Get, @"^/_matrix/client/(api/v1|r0|v3|unstable)/devices(/|$)" },
        { ClientRead, @"^/_matrix/client/v1/rooms/.*/timestamp_to_event$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable/.*)/rooms/.*/aliases" },
        { ClientRead, @"^/_matrix/client/(r0|v3|unstable)/user/.*/filter(/|$)" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/directory/room/.*$" },
        { ClientRead, @"^/_matrix/client/(r0|v3|unstable)/capabilities$" },
        { ClientRead, @"^/_matrix/client/(r0|v3|unstable)/notifications$" },

        // generic_worker > Admin API requests
        { RoomAdmin, @"^/_synapse/admin/v1/rooms/[^/]+$" },

        // generic_worker > Encryption requests
        { DeviceLists, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/keys/device_signing/upload$" },
        { DeviceLists, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/keys/signatures/upload$" },

        // generic_worker > Registration/login requests
        { Register, Address, @"^/_matrix/client/(r0|v3|unstable)/register/available$" },
        { Register, Address, @"^/_matrix/client/(r0|v3|unstable)/password_policy$" },

        // generic_worker > Event sending requests
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/knock/" },

        // generic_worker > Unstable MSC4140 support
        { DelayedEvents, User, @"^/_matrix/client/unstable/org.matrix.msc4140/delayed_events(/.*/restart)?$" },

        // generic_worker > [GET only] Admin API requests
        { Admin, None, MethodSet.Get, @"^/_synapse/admin/v2/users/[^/]+$" },

        // generic_worker > Stream writers > The `push_rules` stream
        { PushRules, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/pushrules/" },

        // generic_worker > Stream writers > The `device_lists` stream
        { DeviceLists, User, @"^/_matrix/client/(r0|v3)/delete_devices$" },
        { DeviceLists, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/devices(/|$)" },
        { DeviceLists, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/keys/device_signing/upload$" },
        { DeviceLists, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/keys/signatures/upload$" },

        // media_repository
        { Media, @"/_matrix/client/v1/media/" },
        { Media, @"/_matrix/federation/v1/media/" },
    };
}
