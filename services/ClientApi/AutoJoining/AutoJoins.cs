using System.Text.Json;
using Matrix.ClientApi.ServerNotices;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Aliases;
using Matrix.Rooms.Writing;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Rooms;

namespace Matrix.ClientApi.AutoJoining;

/// <summary>
/// Joins new accounts to the rooms that everybody is in. Who makes an account writes with it that this is to be done and then does it, for a while; what
/// he does not get done, or not before his process ends, any instance does by that note. Synapse: <c>auto_join_rooms</c>
/// </summary>
internal sealed partial class AutoJoins(
    AutoJoinStore store, AliasResolver aliases, RoomReader rooms, IRoomWriter writer, HomeserverConfig config, ILogger<AutoJoins> log)
{
    private const int Portion = 20;
    /// <summary>Some 15 hours. What a room refuses is not tried again at all.</summary>
    private const int MaxTries = 20;
    /// <summary>How long an account that was just made waits for its rooms.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly AutoJoinConfig settings = config.Accounts.AutoJoin;
    /// <summary>Who makes rooms and invites; null: the first user makes them.</summary>
    private readonly string? host = config.Accounts.AutoJoin.Localpart is { } name ? UserId.Of(name, config.ServerName).Value : null;

    public bool AreWanted => settings.Rooms.Count > 0;

    /// <summary>Synapse: who has to agree to the policy first is joined when he has; users of application services never.</summary>
    public AutoJoinTime TimeFor(bool isGuest, string? appServiceId, string? userType, string? consentVersion)
    {
        if (!AreWanted || appServiceId is not null || (isGuest && !settings.ForGuests)) return AutoJoinTime.Never;
        return config.Accounts.Consent is { } consent && consentVersion is null
            && (consent.AtRegistration || (consent.BlockEventsError is not null && userType is not ("bot" or "support"))) ? AutoJoinTime.AfterConsent : AutoJoinTime.AtOnce;
    }

    /// <summary>Joins this user now if he is to be. Nothing that goes wrong concerns the caller.</summary>
    public async Task RunAsync(UserId user)
    {
        if (!AreWanted) return;
        // Not the request's: a client that goes away is joined all the same.
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            if (await store.FindAsync(user.Value, patience.Token) is { } wish) await FulfilAsync(wish, patience.Token);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogPutOff(log, e, user.Value);
        }
    }

    /// <summary>One portion of what is due; false: nothing more is.</summary>
    public async Task<bool> RunDueAsync(long nowMs, CancellationToken ct)
    {
        var due = await store.TakeDueAsync(nowMs, Portion, ct);
        foreach (var wish in due) await FulfilAsync(wish, ct);
        return due.Count == Portion;
    }

    private async Task FulfilAsync(AutoJoin wish, CancellationToken ct)
    {
        var all = true;
        foreach (var room in settings.Rooms) all &= await TryAsync(wish, room, ct);
        if (all || wish.Tries >= MaxTries) await store.DoneAsync(wish.UserId, ct);
    }

    /// <summary>False: to be tried again.</summary>
    private async Task<bool> TryAsync(AutoJoin wish, string room, CancellationToken ct)
    {
        try
        {
            return await EnterAsync(wish, room, ct);
        }
        catch (MatrixException e) when (e.Error.Status is < 500 and not 429)
        {
            LogRefused(log, wish.UserId, room, e.Message);
            return true;
        }
        catch (Exception e) when (e is not OutOfMemoryException && !ct.IsCancellationRequested)
        {
            LogNotJoined(log, e, wish.UserId, room);
            return false;
        }
    }

    private async Task<bool> EnterAsync(AutoJoin wish, string name, CancellationToken ct)
    {
        if (!RoomAlias.TryParse(name, null, out var alias)) throw MatrixError.InvalidParam("This is no alias of a room.").AsException();
        if ((await aliases.FindAsync(alias, ct))?.RoomId is not { } room)
        {
            // Another server may answer later, and so may the first user's rooms be there later.
            if (!aliases.IsOwn(alias)) return false;
            if (!settings.Create) throw MatrixError.NotFound("There is no such room, and none is to be made.").AsException();
            if (!wish.IsFirst) return await store.IsMakingAsync(ct) ? false : throw MatrixError.NotFound("There is no such room.").AsException();
            room = await MakeAsync(host ?? wish.UserId, alias, ct);
        }
        var membership = (await rooms.MembershipAsync(room, wish.UserId, ct))?.Membership;
        // Who has left since is not brought back by a second try.
        if (membership is not (null or Memberships.Invite)) return true;
        if (membership is null && host is not null && await NeedsInviteAsync(room, ct)) await writer.ChangeMembershipAsync(new MembershipWrite(room, host, wish.UserId, "invite"), ct);
        await writer.ChangeMembershipAsync(new MembershipWrite(room, wish.UserId, wish.UserId, "join"), ct);
        return true;
    }

    private async Task<bool> NeedsInviteAsync(string roomId, CancellationToken ct) =>
        await rooms.FindAsync(roomId, ct) is { } room
        && await rooms.CurrentStateAsync(room.RoomNid, new StateKey(EventTypes.JoinRules, ""), ct) is { } rules && rules.Pdu.ContentString("join_rule"u8) != "public";

    private async Task<string> MakeAsync(string creator, RoomAlias alias, CancellationToken ct)
    {
        using var options = JsonDocument.Parse(NoticeSender.Write(w =>
        {
            w.WriteString("preset", settings.Preset);
            w.WriteString("room_alias_name", alias.Localpart);
            if (settings.Federated) return;
            w.WriteStartObject("creation_content");
            w.WriteBoolean("m.federate", false);
            w.WriteEndObject();
        }));
        try
        {
            return (await writer.CreateRoomAsync(new RoomCreationWrite(creator, config.DefaultRoomVersion, options.RootElement), ct)).RoomId;
        }
        catch (MatrixException e) when (e.Error.Code == "M_ROOM_IN_USE")
        {
            // Another first user was quicker.
            return (await aliases.FindAsync(alias, ct))?.RoomId ?? throw MatrixError.Unavailable("The room came and went.").AsException();
        }
    }

    [LoggerMessage(4050, LogLevel.Warning, "New user {User} cannot be joined to {Room}: {Reason}")]
    private static partial void LogRefused(ILogger log, string user, string room, string reason);

    [LoggerMessage(4051, LogLevel.Warning, "New user {User} could not be joined to {Room} now; it will be tried again")]
    private static partial void LogNotJoined(ILogger log, Exception e, string user, string room);

    [LoggerMessage(4052, LogLevel.Warning, "New user {User} is joined to his rooms later")]
    private static partial void LogPutOff(ILogger log, Exception e, string user);
}
