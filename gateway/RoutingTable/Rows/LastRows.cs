using static Matrix.Gateway.Routing.AffinityKind;
using static Matrix.Gateway.Routing.RouteClass;

namespace Matrix.Gateway.Routing.Rows;

/// <summary>Ours, after the documented rows: what neither list names.</summary>
internal static class LastRows
{
    public static readonly RowList Rows = new(RowSource.Own)
    {
        // Sync
        { Sync, User, @"^/_matrix/client/(unstable/org\.matrix\.simplified_msc3575|v4)/sync$" },
        new RouteRow(Sync, MethodSet.Any, @"^/_matrix/client/unstable/sync$", User, RowSource.Own) { Without = ("since", InitialSync) },
        { Sync, User, @"^/_matrix/client/unstable/events$" },
        { InitialSync, User, @"^/_matrix/client/unstable/(initialSync|rooms/[^/]+/initialSync)$" },

        // Registration and login
        { Login, Address, @"^/_matrix/client/(r0|v3|unstable)/refresh$" },
        { Login, User, @"^/_matrix/client/(v1/login/get_token|unstable/org\.matrix\.msc3882/login/token)$" },
        { Register, Address, @"^/_matrix/client/(r0|v3|unstable)/register/" },
        { Register, Address, @"^/_matrix/client/unstable/register/m\.login\.registration_token/validity$" },
        { Sso, Address, @"^/_matrix/client/(api/v1|r0|v3|unstable)/login/(cas|sso)/" },
        { Sso, Address, @"^/_synapse/client/(oidc|saml2|new_user_consent|sso_register|pick_idp|oauth|login|signup|logout|device|account)(/|$)" },

        // Encryption
        { DeviceLists, User, @"^/_matrix/client/unstable/delete_devices$" },
        { Keys, User, @"^/_matrix/client/unstable/org\.matrix\.msc3983/keys/claim$" },
        { Keys, User, @"^/_matrix/client/unstable/org\.matrix\.msc3814\.v1/dehydrated_device(/|$)" },

        // Media
        { Media, @"^/_matrix/client/unstable/org\.matrix\.msc3916/media/" },
        { Media, @"^/_matrix/federation/unstable/org\.matrix\.msc3916(\.v2)?/media/" },

        // Federation
        { FederationIn, @"^/_matrix/federation/" },
        { FederationIn, @"^/_matrix/key/" },

        // Administration
        { RoomAdmin, @"^/_synapse/admin/v(1|2)/rooms(/|$)" },
        { Admin, @"^/_synapse/admin/" },
        { Admin, @"^/_matrix/client/(api/v1|r0|v1|v3|unstable)/admin/" },
    };
}
