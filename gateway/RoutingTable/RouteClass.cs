namespace Matrix.Gateway.Routing;

/// <summary>
/// A kind of request that an administrator can give its own replicas. The name is what configuration and metrics say; the service is who answers
/// unless configuration names another group.
/// </summary>
public sealed class RouteClass
{
    private static readonly List<RouteClass> Declared = [];

    public static readonly RouteClass Sync = new("sync", "sync") { Repeatable = true };
    /// <summary>A sync from nothing: heavy, so that it can be kept away from the running ones. Follows <see cref="Sync"/> unless configured.</summary>
    public static readonly RouteClass InitialSync = new("initial_sync", "sync") { Repeatable = true, Follows = Sync };
    public static readonly RouteClass FederationIn = new("federation_in", "federationinbound");
    public static readonly RouteClass FederationSend = new("federation_send", "federationinbound");
    public static readonly RouteClass EventSend = new("event_send", "eventpersister");
    public static readonly RouteClass CreateRoom = new("create_room", "eventpersister") { Follows = EventSend };
    public static readonly RouteClass DelayedEvents = new("delayed_events", "eventpersister") { Follows = EventSend };
    public static readonly RouteClass Login = new("login", "clientapi");
    public static readonly RouteClass Register = new("register", "clientapi");
    public static readonly RouteClass Sso = new("sso", "clientapi");
    public static readonly RouteClass ClientRead = new("client_read", "clientapi");
    public static readonly RouteClass Pagination = new("pagination", "clientapi");
    public static readonly RouteClass AccountData = new("account_data", "clientapi");
    public static readonly RouteClass Receipts = new("receipts", "clientapi") { Repeatable = true };
    public static readonly RouteClass Typing = new("typing", "clientapi");
    public static readonly RouteClass ToDevice = new("to_device", "clientapi");
    public static readonly RouteClass Presence = new("presence", "clientapi");
    public static readonly RouteClass PushRules = new("push_rules", "clientapi");
    public static readonly RouteClass DeviceLists = new("device_lists", "clientapi");
    public static readonly RouteClass Keys = new("keys", "clientapi");
    public static readonly RouteClass Media = new("media", "media");
    public static readonly RouteClass UserDirectory = new("user_directory", "userdirectory") { Repeatable = true };
    public static readonly RouteClass Admin = new("admin", "clientapi");
    public static readonly RouteClass RoomAdmin = new("room_admin", "clientapi") { Follows = Admin };
    /// <summary>What matches no row.</summary>
    public static readonly RouteClass Client = new("client", "clientapi");
    /// <summary>Answered by the gateway itself.</summary>
    public static readonly RouteClass OwnAnswer = new("gateway", "gateway");

    public static IReadOnlyList<RouteClass> All => Declared;

    private RouteClass(string name, string service)
    {
        (Name, Service, Index) = (name, service, Declared.Count);
        Declared.Add(this);
    }

    public string Name { get; }
    public string Service { get; }
    /// <summary>Place in <see cref="All"/>, for arrays by class.</summary>
    public int Index { get; }
    /// <summary>A POST of this class does nothing more when it is done twice, so it may be sent again when its connection broke.</summary>
    public bool Repeatable { get; private init; }
    /// <summary>Whose configured group this class takes when it has none of its own.</summary>
    public RouteClass? Follows { get; private init; }

    public static RouteClass? Find(string name) => Declared.Find(c => string.Equals(c.Name, name, StringComparison.Ordinal));

    public override string ToString() => Name;
}
