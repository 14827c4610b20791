using System.Text.Json;
using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.Web.Json;

namespace Matrix.FederationInbound.ThirdParty;

/// <summary>Makes invitations of what an identity server has kept for an address.</summary>
internal sealed partial class BindingNotices(IRoomWriter writer, ServerIdentity identity, ILogger<BindingNotices> log)
{
    /// <summary>One element of <c>invites</c>; M_BAD_JSON, M_MISSING_PARAM or M_INVALID_PARAM for what is none.</summary>
    public ThirdPartyExchangeWrite Read(JsonElement invite)
    {
        if (invite.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'invites' must hold objects").AsException();
        var signed = invite.ObjectOrNull("signed") ?? throw MatrixError.MissingParam("Missing 'signed' parameter").AsException();
        if (!UserId.TryParse(invite.RequiredString("mxid"), null, out var user) || user.Server != identity.ServerName)
            throw MatrixError.InvalidParam("User is not hosted on this homeserver").AsException();
        return new ThirdPartyExchangeWrite(invite.RequiredString("room_id"), invite.RequiredString("sender"), user.Value, signed);
    }

    /// <summary>All that can be made; then throws why the first of the others could not.</summary>
    public async Task AcceptAsync(IReadOnlyList<ThirdPartyExchangeWrite> invites, CancellationToken ct)
    {
        MatrixException? refused = null;
        foreach (var invite in invites)
        {
            try
            {
                await writer.ExchangeThirdPartyInviteAsync(invite, ct);
            }
            catch (MatrixException e)
            {
                LogRefused(log, invite.Target, invite.RoomId, e.Error.Message);
                refused ??= e;
            }
        }
        if (refused is not null) throw refused;
    }

    [LoggerMessage(7020, LogLevel.Information, "A third-party invite of {User} to {RoomId} was refused: {Reason}")]
    private static partial void LogRefused(ILogger log, string user, string roomId, string reason);
}
