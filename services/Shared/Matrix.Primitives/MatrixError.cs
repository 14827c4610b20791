using System.Collections.Immutable;
using System.Globalization;

namespace Matrix.Primitives;

/// <summary>
/// An error as clients see it: HTTP status, <c>errcode</c>, text, and further members of the object.
/// Spec: client-server-api/#standard-error-response
/// </summary>
/// <param name="Extras">Further members, name to raw JSON.</param>
public sealed record MatrixError(int Status, string Code, string Message, ImmutableArray<KeyValuePair<string, string>> Extras)
{
    /// <summary>Seconds for the <c>Retry-After</c> header; null for no header.</summary>
    public int? RetryAfterSeconds { get; init; }

    private static MatrixError Of(int status, string code, string message) => new(status, code, message, []);

    public MatrixError With(string name, string rawJson) => this with { Extras = Extras.Add(new(name, rawJson)) };

    public static MatrixError Forbidden(string message) => Of(403, "M_FORBIDDEN", message);
    public static MatrixError NotFound(string message) => Of(404, "M_NOT_FOUND", message);
    public static MatrixError Unrecognized(string message = "Unrecognized request") => Of(404, "M_UNRECOGNIZED", message);
    public static MatrixError MethodNotAllowed() => Of(405, "M_UNRECOGNIZED", "Method not allowed");
    public static MatrixError NotJson(string message = "Content not JSON.") => Of(400, "M_NOT_JSON", message);
    public static MatrixError BadJson(string message) => Of(400, "M_BAD_JSON", message);
    public static MatrixError InvalidParam(string message) => Of(400, "M_INVALID_PARAM", message);
    public static MatrixError MissingParam(string message) => Of(400, "M_MISSING_PARAM", message);
    public static MatrixError MissingToken() => Of(401, "M_MISSING_TOKEN", "Missing access token");
    public static MatrixError UnknownToken(bool softLogout = false) =>
        Of(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.").With("soft_logout", softLogout ? "true" : "false");
    public static MatrixError TooLarge(string message = "Request too large") => Of(413, "M_TOO_LARGE", message);
    public static MatrixError UserInUse() => Of(400, "M_USER_IN_USE", "User ID already taken.");
    public static MatrixError InvalidUsername(string message) => Of(400, "M_INVALID_USERNAME", message);
    public static MatrixError RoomInUse(string message) => Of(400, "M_ROOM_IN_USE", message);
    public static MatrixError BadState(string message) => Of(400, "M_BAD_STATE", message);
    public static MatrixError UnsupportedRoomVersion(string version) =>
        Of(400, "M_UNSUPPORTED_ROOM_VERSION", $"Room version '{version}' is not supported.");
    public static MatrixError Exclusive(string message) => Of(400, "M_EXCLUSIVE", message);
    public static MatrixError UserDeactivated() => Of(403, "M_USER_DEACTIVATED", "This account has been deactivated.");
    public static MatrixError InviteBlocked(string userId) => Of(403, "M_INVITE_BLOCKED", $"{userId} does not accept invites.");
    public static MatrixError Unknown(int status = 400, string message = "Unknown error") => Of(status, "M_UNKNOWN", message);
    public static MatrixError Internal() => Of(500, "M_UNKNOWN", "Internal server error");

    /// <summary>The database or another part of the fleet is away for the moment; the client should try again.</summary>
    public static MatrixError Unavailable(string message, int retryAfterSeconds = 2) =>
        Of(503, "M_UNKNOWN", message) with { RetryAfterSeconds = retryAfterSeconds };

    public static MatrixError LimitExceeded(long retryAfterMs) =>
        (Of(429, "M_LIMIT_EXCEEDED", "Too Many Requests").With("retry_after_ms", retryAfterMs.ToString(CultureInfo.InvariantCulture)))
        with { RetryAfterSeconds = (int)((retryAfterMs + 999) / 1000) };

    /// <summary>Any other code of the spec; <paramref name="code"/> with its <c>M_</c> prefix.</summary>
    public static MatrixError Custom(int status, string code, string message) => Of(status, code, message);

    public MatrixException AsException() => new(this);
}

/// <summary>Carries a <see cref="MatrixError"/> to the edge of a request. Never thrown per event: the core returns verdicts.</summary>
public sealed class MatrixException(MatrixError error) : Exception(error.Message)
{
    public MatrixError Error { get; } = error;
}
