using System.Text.Json;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Membership;
using Matrix.EventPersister.Profiles;
using Matrix.EventPersister.Sending;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;

namespace Matrix.EventPersister.ThirdParty;

/// <summary>Invites somebody who is known by his address only. Spec: client-server-api/#third-party-invites</summary>
internal sealed class ThirdPartyInvites(
    IdentityDirectory directory, MembershipChanges memberships, RoomActors actors, RoomReader rooms, ProfileCache profiles, HomeserverConfig config)
{
    private static readonly StateKey[] Described =
    [
        new(EventTypes.Create, ""), new(EventTypes.PowerLevels, ""), new(EventTypes.CanonicalAlias, ""), new(EventTypes.Avatar, ""), new(EventTypes.JoinRules, ""),
        new(EventTypes.Name, ""),
    ];

    /// <param name="txnId">Null: none.</param>
    public async Task InviteAsync(string roomId, Requester requester, Invitee who, bool isDirect, string? txnId, CancellationToken ct)
    {
        if (!config.Accounts.Enable3pidLookup) throw MatrixError.Forbidden("Looking up third-party identifiers is denied from this server").AsException();
        var sender = requester.UserId.Value;
        // Identity servers send mail: nothing is asked of them for who may not invite.
        var state = await RequirePowerAsync(roomId, sender, ct);
        var txn = MembershipChanges.OfAction(MembershipAction.Invite, txnId);
        if (txn is not null && await actors.Tools.Truth.EventOfTransactionAsync(new TransactionKey(sender, requester.DeviceId ?? "", roomId, txn)) is not null) return;
        if (await directory.LookupAsync(who, ct) is { } user)
        {
            var request = new MembershipRequest(MembershipAction.Invite, sender, user, await profiles.ForAsync(MembershipAction.Invite, user, ct))
            {
                DeviceId = requester.DeviceId, IsDirect = isDirect, TxnId = txn,
            };
            await memberships.ChangeAsync(roomId, request, ct);
            return;
        }
        var profile = await profiles.GetAsync(sender, ct);
        var stored = await directory.StoreAsync(who, w =>
        {
            w.WriteString("room_id", roomId);
            w.WriteString("sender", sender);
            if (profile.DisplayName is { } name) w.WriteString("sender_display_name", name);
            if (profile.AvatarUrl is { } avatar) w.WriteString("sender_avatar_url", avatar);
            Describe(w, state);
        }, ct);
        var intent = new EventIntent(EventTypes.ThirdPartyInvite, stored.Token, sender, ContentOf(stored)) { DeviceId = requester.DeviceId, TxnId = txn };
        if ((await actors.RunAsync(roomId, new SendCommand(intent, ct))).Error is { } error) throw error.AsException();
    }

    private async Task<List<Pdu>> RequirePowerAsync(string roomId, string sender, CancellationToken ct)
    {
        var room = await rooms.FindAsync(roomId, ct) ?? throw MatrixError.Forbidden("Unknown room").AsException();
        if ((await rooms.MembershipAsync(roomId, sender, ct))?.Membership != Memberships.Join) throw MatrixError.Forbidden($"{sender} is not in the room.").AsException();
        var state = (await rooms.CurrentStateAsync([room.RoomNid], Described, ct)).ConvertAll(e => e.Pdu);
        var levels = PowerLevels.Read(state.First(e => e.Type == EventTypes.Create), state.Find(e => e.Type == EventTypes.PowerLevels));
        return levels.Of(sender) >= levels.Invite ? state : throw MatrixError.Forbidden("Not allowed to invite.").AsException();
    }

    /// <summary>What the identity server may say of the room in its mail. Spec: openapi/identity/v2_store_invite.yaml</summary>
    private static void Describe(Utf8JsonWriter w, List<Pdu> state)
    {
        foreach (var e in state)
        {
            var (member, value) = e.Type switch
            {
                EventTypes.CanonicalAlias => ("room_alias", e.ContentString("alias"u8)),
                EventTypes.Avatar => ("room_avatar_url", e.ContentString("url"u8)),
                EventTypes.JoinRules => ("room_join_rules", e.ContentString("join_rule"u8)),
                EventTypes.Name => ("room_name", e.ContentString("name"u8)),
                EventTypes.Create => ("room_type", e.ContentString("type"u8)),
                _ => ("", null),
            };
            if (value is not null) w.WriteString(member, value);
        }
    }

    /// <summary>Spec: event-schemas/schema/m.room.third_party_invite.yaml</summary>
    private static byte[] ContentOf(StoredInvite invite) => EventContent.Write(w =>
    {
        w.WriteString("display_name", invite.DisplayName);
        Write(w, invite.Keys[0]);
        w.WriteStartArray("public_keys");
        foreach (var key in invite.Keys)
        {
            w.WriteStartObject();
            Write(w, key);
            w.WriteEndObject();
        }
        w.WriteEndArray();
    });

    private static void Write(Utf8JsonWriter w, InviteKey key)
    {
        w.WriteString("public_key", key.PublicKey);
        if (key.ValidityUrl is not null) w.WriteString("key_validity_url", key.ValidityUrl);
    }
}
