using Matrix.Primitives;

namespace Matrix.Web.Auth;

/// <summary>What users hear of whose account may not do everything. Spec: client-server-api/#account-moderation</summary>
public static class AccountErrors
{
    public static readonly MatrixError Locked =
        MatrixError.Custom(401, "M_USER_LOCKED", "This account has been locked.").With("soft_logout", "true");
    public static readonly MatrixError Suspended =
        MatrixError.Custom(403, "M_USER_SUSPENDED", "You cannot perform this action while suspended.");
    /// <summary>Synapse: account validity is no part of the specification.</summary>
    public static readonly MatrixError Expired = MatrixError.Custom(403, "ORG_MATRIX_EXPIRED_ACCOUNT", "User account has expired");
}
