namespace Matrix.Gateway.Routing;

/// <summary>What a request is sorted by among the instances of its group. Speed only: any instance answers correctly.</summary>
public enum AffinityKind : byte { None, User, Room, Origin, Address }

[Flags]
public enum MethodSet : byte
{
    None = 0,
    /// <summary>GET and HEAD.</summary>
    Get = 1,
    Put = 2,
    Post = 4,
    Delete = 8,
    Options = 16,
    Other = 32,
    Any = 63,
}

/// <summary>Where a row comes from.</summary>
public enum RowSource : byte
{
    /// <summary>Ours.</summary>
    Own,
    /// <summary>Worker documentation of 2022.</summary>
    Page2022,
    /// <summary>Newest worker documentation; only what that of 2022 lacks.</summary>
    PageNewest,
}

/// <summary>One row of the routing table.</summary>
/// <param name="Methods">Documented methods; any where the documentation names none.</param>
/// <param name="Pattern">Verbatim regular expression, searched in the raw path (not decoded, no query).</param>
public sealed record RouteRow(RouteClass Class, MethodSet Methods, string Pattern, AffinityKind Key, RowSource Source)
{
    /// <summary>Class of the request when its query has no such parameter, or an empty one.</summary>
    public (string Parameter, RouteClass Class)? Without { get; init; }
}

public static class MethodSets
{
    public static MethodSet Parse(string method) => method switch
    {
        "GET" or "HEAD" => MethodSet.Get,
        "PUT" => MethodSet.Put,
        "POST" => MethodSet.Post,
        "DELETE" => MethodSet.Delete,
        "OPTIONS" => MethodSet.Options,
        _ => MethodSet.Other,
    };
}
