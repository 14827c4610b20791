using static Matrix.Gateway.Routing.AffinityKind;
using static Matrix.Gateway.Routing.RouteClass;

namespace Matrix.Gateway.Routing.Rows;

/// <summary>
/// Every pattern of the worker documentation of 2022 (docs/workers.md of v1.61.1, Apache-2.0), verbatim and in its order. The comments are its headings.
/// A pattern that stands there twice stands here twice: a test holds both lists side by side.
/// </summary>
internal static class Page2022Rows
{
    public static readonly RowList Rows = new(RowSource.Page2022)
    {
        // generic_worker > Sync requests
        new RouteRow(Sync, MethodSet.Any, @"^/_matrix/client/(r0|v3)/sync$", User, RowSource.Page2022) { Without = ("since", InitialSync) },
        { Sync, User, @"^/_matrix/client/(api/v1|r0|v3)/events$" },
        { InitialSync, User, @"^/_matrix/client/(api/v1|r0|v3)/initialSync$" },
        { InitialSync, User, @"^/_matrix/client/(api/v1|r0|v3)/rooms/[^/]+/initialSync$" },

        // generic_worker > Federation requests
        { FederationIn, @"^/_matrix/federation/v1/event/" },
        { FederationIn, @"^/_matrix/federation/v1/state/" },
        { FederationIn, @"^/_matrix/federation/v1/state_ids/" },
        { FederationIn, @"^/_matrix/federation/v1/backfill/" },
        { FederationIn, @"^/_matrix/federation/v1/get_missing_events/" },
        { FederationIn, @"^/_matrix/federation/v1/publicRooms" },
        { FederationIn, @"^/_matrix/federation/v1/query/" },
        { FederationIn, @"^/_matrix/federation/v1/make_join/" },
        { FederationIn, @"^/_matrix/federation/v1/make_leave/" },
        { FederationIn, @"^/_matrix/federation/(v1|v2)/send_join/" },
        { FederationIn, @"^/_matrix/federation/(v1|v2)/send_leave/" },
        { FederationIn, @"^/_matrix/federation/(v1|v2)/invite/" },
        { FederationIn, @"^/_matrix/federation/v1/event_auth/" },
        { FederationIn, @"^/_matrix/federation/v1/exchange_third_party_invite/" },
        { FederationIn, @"^/_matrix/federation/v1/user/devices/" },
        { FederationIn, @"^/_matrix/key/v2/query" },
        { FederationIn, @"^/_matrix/federation/v1/hierarchy/" },

        // generic_worker > Inbound federation transaction request
        { FederationSend, Origin, @"^/_matrix/federation/v1/send/" },

        // generic_worker > Client API requests
        { CreateRoom, @"^/_matrix/client/(api/v1|r0|v3|unstable)/createRoom$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/publicRooms$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/joined_members$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/context/.*$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/members$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/state$" },
        { ClientRead, @"^/_matrix/client/v1/rooms/.*/hierarchy$" },
        { EventSend, Room, @"^/_matrix/client/unstable/org.matrix.msc2716/rooms/.*/batch_send$" },
        { ClientRead, @"^/_matrix/client/unstable/im.nheko.summary/rooms/.*/summary$" },
        { ClientRead, @"^/_matrix/client/(r0|v3|unstable)/account/3pid$" },
        { ClientRead, @"^/_matrix/client/(r0|v3|unstable)/account/whoami$" },
        { ClientRead, @"^/_matrix/client/(r0|v3|unstable)/devices$" },
        { ClientRead, @"^/_matrix/client/versions$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/voip/turnServer$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/event/" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/joined_rooms$" },
        { ClientRead, @"^/_matrix/client/(api/v1|r0|v3|unstable)/search$" },

        // generic_worker > Encryption requests
        { Keys, User, @"^/_matrix/client/(r0|v3|unstable)/keys/query$" },
        { Keys, User, @"^/_matrix/client/(r0|v3|unstable)/keys/changes$" },
        { Keys, User, @"^/_matrix/client/(r0|v3|unstable)/keys/claim$" },
        { Keys, User, @"^/_matrix/client/(r0|v3|unstable)/room_keys/" },

        // generic_worker > Registration/login requests
        { Login, Address, @"^/_matrix/client/(api/v1|r0|v3|unstable)/login$" },
        { Register, Address, @"^/_matrix/client/(r0|v3|unstable)/register$" },
        { Register, Address, @"^/_matrix/client/v1/register/m.login.registration_token/validity$" },

        // generic_worker > Event sending requests
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/redact" },
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/send" },
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/state/" },
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/(join|invite|leave|ban|unban|kick)$" },
        { EventSend, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/join/" },
        { EventSend, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/profile/" },

        // generic_worker > Account data requests
        { AccountData, User, @"^/_matrix/client/(r0|v3|unstable)/.*/tags" },
        { AccountData, User, @"^/_matrix/client/(r0|v3|unstable)/.*/account_data" },

        // generic_worker > Receipts requests
        { Receipts, User, @"^/_matrix/client/(r0|v3|unstable)/rooms/.*/receipt" },
        { Receipts, User, @"^/_matrix/client/(r0|v3|unstable)/rooms/.*/read_markers" },

        // generic_worker > Presence requests
        { Presence, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/presence/" },

        // generic_worker > User directory search requests
        { UserDirectory, @"^/_matrix/client/(r0|v3|unstable)/user_directory/search$" },

        // generic_worker > [GET only]
        { PushRules, User, MethodSet.Get, @"^/_matrix/client/(api/v1|r0|v3|unstable)/pushrules/" },

        // generic_worker > Pagination
        { Pagination, Room, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/messages$" },

        // generic_worker > for all SSO providers
        { Sso, Address, @"^/_matrix/client/(api/v1|r0|v3|unstable)/login/sso/redirect" },
        { Sso, Address, @"^/_synapse/client/pick_idp$" },
        { Sso, Address, @"^/_synapse/client/pick_username" },
        { Sso, Address, @"^/_synapse/client/new_user_consent$" },
        { Sso, Address, @"^/_synapse/client/sso_register$" },

        // generic_worker > OpenID Connect requests.
        { Sso, Address, @"^/_synapse/client/oidc/callback$" },

        // generic_worker > SAML requests.
        { Sso, Address, @"^/_synapse/client/saml2/authn_response$" },

        // generic_worker > CAS requests.
        { Sso, Address, @"^/_matrix/client/(api/v1|r0|v3|unstable)/login/cas/ticket$" },

        // generic_worker > Stream writers > The `typing` stream
        { Typing, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/typing" },

        // generic_worker > Stream writers > The `to_device` stream
        { ToDevice, User, @"^/_matrix/client/(r0|v3|unstable)/sendToDevice/" },

        // generic_worker > Stream writers > The `account_data` stream
        { AccountData, User, @"^/_matrix/client/(r0|v3|unstable)/.*/tags" },
        { AccountData, User, @"^/_matrix/client/(r0|v3|unstable)/.*/account_data" },

        // generic_worker > Stream writers > The `receipts` stream
        { Receipts, User, @"^/_matrix/client/(r0|v3|unstable)/rooms/.*/receipt" },
        { Receipts, User, @"^/_matrix/client/(r0|v3|unstable)/rooms/.*/read_markers" },

        // generic_worker > Stream writers > The `presence` stream
        { Presence, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/presence/" },

        // generic_worker > Updating the User Directory
        { UserDirectory, @"^/_matrix/client/(r0|v3|unstable)/user_directory/search$" },

        // media_repository
        { Media, @"/_matrix/media/" },
        { Media, @"^/_synapse/admin/v1/purge_media_cache$" },
        { Media, @"^/_synapse/admin/v1/room/.*/media.*$" },
        { Media, @"^/_synapse/admin/v1/user/.*/media.*$" },
        { Media, @"^/_synapse/admin/v1/media/.*$" },
        { Media, @"^/_synapse/admin/v1/quarantine_media/.*$" },
        { Media, @"^/_synapse/admin/v1/users/.*/media$" },

        // user_dir
        { UserDirectory, @"^/_matrix/client/(r0|v3|unstable)/user_directory/search$" },

        // frontend_proxy
        { DeviceLists, User, @"^/_matrix/client/(r0|v3|unstable)/keys/upload" },
        { Presence, User, @"^/_matrix/client/(api/v1|r0|v3|unstable)/presence/[^/]+/status" },
    };
}
