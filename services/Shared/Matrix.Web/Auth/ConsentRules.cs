using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Microsoft.AspNetCore.Routing;

namespace Matrix.Web.Auth;

/// <summary>
/// Who has not agreed to the current version of the policy makes no events (<c>user_consent.block_events_error</c>), but for leaving. Synapse: application
/// services, bots and support users need not agree.
/// </summary>
public static class ConsentRules
{
    private static readonly FrozenSet<string> NotWithout = FrozenSet.Create(
        "join_room", "join_room_by_id", "join_room_with_transaction", "join_room_by_id_with_transaction", "knock_room",
        "invite", "invite_with_transaction", "kick", "kick_with_transaction", "ban", "ban_with_transaction", "unban", "unban_with_transaction",
        "send_event", "send_event_without_transaction", "send_delayed_event", "set_state", "set_state_without_key", "redact", "redact_without_transaction",
        "create_room", "upgrade_room");

    /// <summary>What the requester hears of an operation that he may not do yet; null: he may.</summary>
    public static MatrixError? Refusal(Requester requester, string operation, HomeserverConfig config)
    {
        if (config.Accounts.Consent is not { BlockEventsError: { } text } consent || !NotWithout.Contains(operation)) return null;
        if (requester.AppServiceId is not null || requester.UserType is "bot" or "support" || requester.ConsentVersion == consent.Version) return null;
        var address = Address(requester.UserId, config);
        return MatrixError.Custom(403, "M_CONSENT_NOT_GIVEN", text.Replace("%(consent_uri)s", address, StringComparison.Ordinal))
            .With("consent_uri", $"\"{JsonEncodedText.Encode(address)}\"");
    }

    /// <summary>Whether it is the room in which he is asked to agree that he wants to enter. Synapse: the same.</summary>
    public static async ValueTask<bool> IsNoticeRoomAsync(Requester requester, string operation, RouteValueDictionary values, ServerNoticeStore? notices, CancellationToken ct)
    {
        var room = operation switch
        {
            "join_room_by_id" or "join_room_by_id_with_transaction" => values.GetValueOrDefault("roomId") as string,
            "join_room" or "join_room_with_transaction" => values.GetValueOrDefault("roomIdOrAlias") as string,
            _ => null,
        };
        return room is not null && notices is not null && (await notices.FindAsync(requester.UserId.Value, ct))?.RoomId == room;
    }

    /// <summary>The page on which this user agrees.</summary>
    public static string Address(UserId user, HomeserverConfig config)
    {
        var localpart = user.Localpart.ToString();
        return $"{config.PublicBaseUrl}_matrix/consent?u={Uri.EscapeDataString(localpart)}&h={Mac(localpart, config.Accounts.Consent?.FormSecret ?? "")}";
    }

    /// <summary>Synapse: HMAC-SHA256 of what stands in <c>u</c>, in hexadecimal.</summary>
    public static string Mac(string user, string secret) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(user)));

    public static bool IsMacOf(string user, string mac, string secret) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(Mac(user, secret)), Encoding.UTF8.GetBytes(mac));
}
