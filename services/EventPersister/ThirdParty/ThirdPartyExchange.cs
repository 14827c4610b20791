using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Membership;
using Matrix.EventPersister.Profiles;
using Matrix.EventPersister.Sending;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.Storage.Profiles;
using Matrix.Storage.Rooms;
using Matrix.Web.Json;

namespace Matrix.EventPersister.ThirdParty;

/// <summary>
/// Makes an invitation of what an identity server has signed: that this user has the address which the room invited. The rules of the room verify the
/// signature; whether its key still holds is asked here, once, where the invitation is made. Spec: client-server-api/#third-party-invites
/// </summary>
internal sealed class ThirdPartyExchange(IdentityDirectory directory, RoomActors actors, RoomReader rooms, RoomBlocks blocks, ProfileCache profiles, ServerIdentity server)
{
    /// <summary>Id of the member event, and its position (0: it was there already). Throws what the caller hears.</summary>
    public async Task<(string EventId, long Position)> ExchangeAsync(ThirdPartyExchangeWrite write, CancellationToken ct)
    {
        if (!server.IsMine(write.Target)) throw MatrixError.Custom(400, "M_UNSUPPORTED", "Users of other servers cannot be invited yet.").AsException();
        if (write.Signed.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'signed' must be an object").AsException();
        if (await blocks.IsBlockedAsync(write.RoomId, ct)) throw MatrixError.Forbidden("This room has been blocked on this server").AsException();
        var token = write.Signed.RequiredString("token");
        var room = await rooms.FindAsync(write.RoomId, ct) ?? throw MatrixError.Forbidden("Unknown room").AsException();
        var invite = (await rooms.CurrentStateAsync(room.RoomNid, new StateKey(EventTypes.ThirdPartyInvite, token), ct))?.Pdu
            ?? throw MatrixError.Forbidden("The room has no third-party invite with that token.").AsException();
        if (!await IsSignedAsync(invite, Encoding.UTF8.GetBytes(write.Signed.GetRawText()), ct))
            throw MatrixError.Forbidden("No signature of the third-party invite is valid.").AsException();
        var reply = new ExchangeCommand(write, token, await profiles.ForAsync(MembershipAction.Invite, write.Target, ct), ct);
        var (error, eventId, _) = await actors.RunAsync(write.RoomId, reply);
        return error is null ? (eventId!, reply.Position) : throw error.AsException();
    }

    private async Task<bool> IsSignedAsync(Pdu invite, byte[] signed, CancellationToken ct)
    {
        foreach (var key in KeysOf(invite))
        {
            if (!UnpaddedBase64.TryDecodeUrl(key.PublicKey, out var bytes) || bytes.Length != 32) continue;
            foreach (var (signer, keyId) in EventSigning.Signatures(signed))
                if (EventSigning.VerifyJson(signed, signer, keyId, bytes, server.Ed25519) && await directory.IsValidAsync(key, ct)) return true;
        }
        return false;
    }

    private static List<InviteKey> KeysOf(Pdu invite)
    {
        const int most = 16;
        var keys = new List<InviteKey>();
        if (invite.ContentString("public_key"u8) is { } first) keys.Add(new InviteKey(first, invite.ContentString("key_validity_url"u8)));
        foreach (var element in new CanonicalArray(invite.ContentValue("public_keys"u8)))
        {
            if (keys.Count == most) break;
            var o = new CanonicalObject(element);
            if (o.GetString("public_key"u8) is { } key) keys.Add(new InviteKey(key, o.GetString("key_validity_url"u8)));
        }
        // The first one is there twice, for old readers.
        return [.. keys.Distinct()];
    }

    private sealed class ExchangeCommand(ThirdPartyExchangeWrite write, string token, Profile profile, CancellationToken cancelled) : RoomCommand(write.Sender, cancelled)
    {
        public override StateKey? FurtherKey => new StateKey(EventTypes.Member, write.Target);

        public override async ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
        {
            var member = await turn.GetAsync(new StateKey(EventTypes.Member, write.Target), ct);
            if (member?.Membership is Memberships.Join or Memberships.Invite) return new RoomReply(null, member.EventId);
            var invite = await turn.GetAsync(new StateKey(EventTypes.ThirdPartyInvite, token), ct);
            return RoomReply.Of(await turn.AppendAsync(new EventIntent(EventTypes.Member, write.Target, write.Sender, Content(invite)), ct));
        }

        private byte[] Content(Pdu? invite) => EventContent.Write(w =>
        {
            w.WriteString("membership", Memberships.Invite);
            w.WriteStartObject("third_party_invite");
            w.WriteString("display_name", invite?.ContentString("display_name"u8) ?? "");
            w.WritePropertyName("signed");
            write.Signed.WriteTo(w);
            w.WriteEndObject();
            if (profile.DisplayName is { } name) w.WriteString("displayname", name);
            if (profile.AvatarUrl is { } avatar) w.WriteString("avatar_url", avatar);
        });
    }
}
