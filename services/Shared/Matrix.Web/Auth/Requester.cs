using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Microsoft.AspNetCore.Http;

namespace Matrix.Web.Auth;

/// <summary>Who asks. Bound as a parameter of handlers; absent (null) only on anonymous routes and with optional authentication.</summary>
/// <param name="TokenHash">SHA-256 of the access token.</param>
/// <param name="AppServiceId">Id of the application service that asks, for itself or for one of its users.</param>
public sealed record Requester(UserId UserId, string DeviceId, byte[] TokenHash, bool IsAdmin, bool IsGuest, string? AppServiceId)
{
    // What AccountRules decides by.
    public bool IsLocked { get; init; }
    public bool IsSuspended { get; init; }
    public bool IsShadowBanned { get; init; }
    /// <summary>When the account ends; null: never.</summary>
    public long? AccountExpiresTsMs { get; init; }
    /// <summary>Version of the policy that he agreed to; null: none.</summary>
    public string? ConsentVersion { get; init; }
    /// <summary>Synapse: bot, support; null: a usual user.</summary>
    public string? UserType { get; init; }
    /// <summary>What an administrator allows him in the place of the usual limits; null: nothing is said.</summary>
    public RateOverride? RateOverride { get; init; }

    public void RequireSelf(UserId userId, string message)
    {
        if (userId.Value != UserId.Value) throw MatrixError.Forbidden(message).AsException();
    }

    public void RequireAdmin()
    {
        if (!IsAdmin) throw MatrixError.Forbidden("You are not a server admin").AsException();
    }

    public static ValueTask<Requester?> BindAsync(HttpContext context) => ValueTask.FromResult(context.Features.Get<Requester>());
}
