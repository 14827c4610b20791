namespace Matrix.Events;

/// <summary>The authorisation rules of every room version, over any view of state. Pure. Spec: rooms/v*#authorization-rules</summary>
public static class AuthRules
{
    /// <summary>
    /// Rules that need the event alone and its auth events: duplicates, entries that the selection algorithm would not choose,
    /// rejected ones, wrong room, a create event missing. <paramref name="authEvents"/> in the order of the event's list; null when unknown.
    /// </summary>
    public static AuthVerdict CheckAuthEvents(Pdu e, IReadOnlyList<Pdu?> authEvents, Func<string, bool> isRejected) => throw new NotImplementedException();

    /// <summary>The state-dependent rules against that state (the state before the event, the current state, or the auth events' state).</summary>
    public static AuthVerdict Check(Pdu e, IStateView state, IAuthContext? context = null) => throw new NotImplementedException();

    /// <summary>Keys of the state that authorises such an event: the auth events selection algorithm. Version 12 leaves out the create event.</summary>
    public static IReadOnlyList<StateKey> SelectKeys(string type, string? stateKey, string sender, ReadOnlySpan<byte> content, RoomVersion version) => throw new NotImplementedException();
}

/// <summary>What the rules ask beyond state. Third-party invites need signatures, restricted joins the servers that signed.</summary>
public interface IAuthContext
{
    IEd25519 Ed25519 { get; }
}

/// <summary>Power levels as the auth rules read them; defaults applied; creators of version 12 stand above (long.MaxValue).</summary>
public sealed class PowerLevels
{
    /// <summary>Reads the create event and the power-level event (null: none in the state).</summary>
    public static PowerLevels Read(Pdu create, Pdu? powerLevels) => throw new NotImplementedException();
    public long Of(string userId) => throw new NotImplementedException();
    /// <summary>Level needed to send such an event.</summary>
    public long ToSend(string type, bool isState) => throw new NotImplementedException();
    public long Ban => throw new NotImplementedException();
    public long Kick => throw new NotImplementedException();
    public long Invite => throw new NotImplementedException();
    public long Redact => throw new NotImplementedException();
    /// <summary>Level for a notification key such as <c>room</c>; 50 by default.</summary>
    public long ToNotify(string key) => throw new NotImplementedException();
}
