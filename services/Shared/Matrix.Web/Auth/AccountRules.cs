using System.Collections.Frozen;
using System.Security.Cryptography;
using Matrix.Primitives;

namespace Matrix.Web.Auth;

/// <summary>What an account may do whose state is not the usual one: the one table of it, by operation (<c>.Named</c> of its route).</summary>
/// <remarks>
/// Deactivated accounts have no tokens and are not met here. Locked ones may log out; expired ones too, and ask for a renewal. Suspended ones may do everything
/// but what <see cref="NotWhileSuspended"/> says: read, leave, verify devices, look after keys, redact what they said (<c>redact</c> looks at whose
/// event it is). Shadow-banned ones are told that what they do was done. Spec: client-server-api/#account-moderation
/// </remarks>
public static class AccountRules
{
    private static readonly FrozenSet<string> WhileLocked = FrozenSet.Create("logout", "logout_all");

    private static readonly FrozenSet<string> WhileExpired = FrozenSet.Create("logout", "logout_all", "send_account_validity_mail");

    private static readonly FrozenSet<string> NotWhileSuspended = FrozenSet.Create(
        // Joining and knocking, which accepts invites too.
        "join_room", "join_room_by_id", "join_room_with_transaction", "join_room_by_id_with_transaction", "knock_room",
        // Acting on others.
        "invite", "invite_with_transaction", "kick", "kick_with_transaction", "ban", "ban_with_transaction", "unban", "unban_with_transaction",
        // Sending, and what changes rooms.
        "send_event", "send_event_without_transaction", "send_delayed_event", "set_state", "set_state_without_key", "create_room", "upgrade_room", "set_room_alias", "delete_room_alias",
        "set_room_visibility", "upload_media", "create_media", "upload_created_media",
        // Profile.
        "set_profile_field", "delete_profile_field",
        // Removing an address; adding one is allowed.
        "delete_3pid", "unbind_3pid");

    private static readonly FrozenDictionary<string, Pretence> WhileShadowBanned = new Dictionary<string, Pretence>(StringComparer.Ordinal)
    {
        ["send_event"] = Pretence.EventId, ["send_event_without_transaction"] = Pretence.EventId, ["set_state"] = Pretence.EventId,
        ["send_delayed_event"] = Pretence.DelayId, ["set_state_without_key"] = Pretence.EventId, ["redact"] = Pretence.EventId, ["redact_without_transaction"] = Pretence.EventId,
        ["invite"] = Pretence.Empty, ["invite_with_transaction"] = Pretence.Empty, ["kick"] = Pretence.Empty, ["kick_with_transaction"] = Pretence.Empty,
        ["ban"] = Pretence.Empty, ["ban_with_transaction"] = Pretence.Empty, ["unban"] = Pretence.Empty, ["unban_with_transaction"] = Pretence.Empty,
        ["set_typing"] = Pretence.Empty, ["report_event"] = Pretence.Empty, ["report_room"] = Pretence.Empty, ["report_user"] = Pretence.Empty,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private enum Pretence { Empty, EventId, DelayId }

    /// <summary>What the requester hears of an operation that his account may not do; null: it may.</summary>
    public static MatrixError? Refusal(Requester requester, string operation, TimeProvider clock)
    {
        if (requester.IsLocked) return WhileLocked.Contains(operation) ? null : AccountErrors.Locked;
        if (requester.AccountExpiresTsMs is { } expires && expires <= clock.GetUtcNow().ToUnixTimeMilliseconds() && !WhileExpired.Contains(operation))
            return AccountErrors.Expired;
        return requester.IsSuspended && NotWhileSuspended.Contains(operation) ? AccountErrors.Suspended : null;
    }

    /// <summary>The answer to somebody whose requests are only seemingly done, as JSON; null: this one is done.</summary>
    public static byte[]? Pretend(Requester requester, string operation)
    {
        if (!requester.IsShadowBanned || !WhileShadowBanned.TryGetValue(operation, out var pretence)) return null;
        if (pretence == Pretence.Empty) return "{}"u8.ToArray();
        var id = System.Text.Encoding.ASCII.GetBytes(UnpaddedBase64.EncodeUrl(RandomNumberGenerator.GetBytes(32)));
        return pretence == Pretence.EventId ? [.. "{\"event_id\":\"$"u8, .. id, .. "\"}"u8] : [.. "{\"delay_id\":\""u8, .. id, .. "\"}"u8];
    }
}
