namespace Matrix.Rooms.Ingest;

/// <summary>In what capacity events come in.</summary>
public enum IngestMode
{
    /// <summary>They happen now: they move the room's extremities and state, and readers are told.</summary>
    Live,
    /// <summary>Events that others rest on (the auth chain and state of a join): kept, without a place in the graph. A room that is not known begins.</summary>
    Outliers,
    /// <summary>History: they enter the stream before all that is there, oldest first in the list or not.</summary>
    Backfill,
    /// <summary>One join by which this server enters the room; the state before it is given and its events were sent as outliers.</summary>
    Join,
    /// <summary>Memberships of our users in rooms that we are not in (an invitation, or its end): kept as outliers, and readers are told.</summary>
    OutOfBand,
}

/// <summary>Events of one room that came from another server, as it sent them.</summary>
/// <param name="Origin">The server that sent them; it is asked for what is missing.</param>
/// <param name="Pdus">JSON objects, unchecked but for what <paramref name="SignaturesChecked"/> says. Any order.</param>
/// <param name="RoomVersion">Needed where the room may not be known here: modes Outliers, Join and OutOfBand.</param>
/// <param name="StateBefore">Mode Join: ids of the events of the whole state before the join.</param>
public sealed record PduIngest(
    string RoomId, string Origin, IngestMode Mode, IReadOnlyList<ReadOnlyMemory<byte>> Pdus, bool SignaturesChecked = false, string? RoomVersion = null,
    IReadOnlyList<string>? StateBefore = null);

public enum IngestVerdict
{
    /// <summary>Part of the room.</summary>
    Accepted,
    /// <summary>It is here already.</summary>
    Known,
    /// <summary>Kept, part of no timeline and cited by none of our events: the room's present state would not allow it.</summary>
    SoftFailed,
    /// <summary>Kept, so that what cites it can be judged; never part of any state.</summary>
    Rejected,
    /// <summary>Not kept: it is no event, its signature is false, or what it rests on cannot be had.</summary>
    Dropped,
}

/// <param name="EventId">Null: it could not be read.</param>
/// <param name="Reason">Null when it was accepted or known.</param>
/// <param name="IsUnasked">Soft-failed because the room's policy server gave no answer: it is asked again later, without the caller.</param>
public sealed record IngestedPdu(string? EventId, IngestVerdict Verdict, string? Reason, bool IsUnasked = false);

/// <param name="Pdus">In the order of the request.</param>
/// <param name="Position">Position in stream events of the last event that entered it; 0: none did.</param>
public sealed record IngestResult(IReadOnlyList<IngestedPdu> Pdus, long Position);

/// <summary>
/// Takes events of other servers into rooms: checks them, fetches what they rest on, and writes them like any other event. In a persister it works in
/// process; elsewhere <see cref="RemotePduIngest"/> calls the room's. What is wrong with an event is its verdict; only what keeps all of them from being
/// judged (a database that is away, a room with too much to do) is an exception, after which the same events may be sent again.
/// </summary>
public interface IPduIngest
{
    /// <summary>Most events of a request; more are a mistake of the caller.</summary>
    const int MaxPdus = 500;

    Task<IngestResult> IngestAsync(PduIngest pdus, CancellationToken ct);
}
