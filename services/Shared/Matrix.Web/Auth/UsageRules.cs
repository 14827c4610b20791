using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.Web.Auth;

/// <summary>What users hear of a server that serves nobody (<c>hs_disabled</c>) or nobody new (<c>limit_usage_by_mau</c>).</summary>
public static class UsageRules
{
    public static MatrixError Disabled(UsageConfig usage) => Limit(usage, usage.DisabledMessage ?? "", "hs_disabled");

    public static MatrixError Full(UsageConfig usage) => Limit(usage, "Monthly Active User Limit Exceeded", "monthly_active_user");

    /// <summary>What the requester hears of an operation; null: he may. Administrators go on working, and everybody may log out.</summary>
    public static MatrixError? Refusal(Requester requester, string operation, HomeserverConfig config) =>
        config.Usage.DisabledMessage is null || requester.IsAdmin || operation is "logout" or "logout_all" ? null : Disabled(config.Usage);

    // Synapse: status and limit types.
    private static MatrixError Limit(UsageConfig usage, string message, string type) => MatrixError.Custom(403, "M_RESOURCE_LIMIT_EXCEEDED", message)
        .With("limit_type", $"\"{type}\"").With("admin_contact", $"\"{JsonEncodedText.Encode(usage.AdminContact ?? "")}\"");
}
