using Matrix.ClientApi.Pages;

namespace Matrix.ClientApi.Sso;

/// <summary>Paths of our own pages, which a browser may be sent on to: never a way out of this server.</summary>
internal static class OwnPaths
{
    public const string Root = "/_synapse/client/";

    public static bool IsOwn(string? path) =>
        path is { Length: < 8192 } && path.StartsWith(Root, StringComparison.Ordinal)
        && !path.Contains("..", StringComparison.Ordinal) && !path.Contains("//", StringComparison.Ordinal)
        && path.All(c => c is > ' ' and < (char)127 and not '\\');

    /// <summary>Never out of this server, whatever stands in the address of a page: what is not ours becomes the account page.</summary>
    public static string OrAccount(string? path) => IsOwn(path) ? path! : Root + "account";

    public static string Require(string? path) =>
        IsOwn(path) ? path! : throw new PageException(400, "M_INVALID_PARAM", "The page to go on with is not one of this server.");
}
