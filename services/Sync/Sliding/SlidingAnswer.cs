using Matrix.Sync.Answers;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;

namespace Matrix.Sync.Sliding;

/// <summary>A room of an answer.</summary>
/// <param name="Before">What the client was told of it before; null: nothing.</param>
/// <param name="IsInitial">The client replaces all that it knows of the room.</param>
/// <param name="Known">Position up to which the client knows the room; <see cref="long.MinValue"/>: not at all.</param>
internal sealed record ToldRoom(SelectedRoom Room, SentRoom? Before, Membership Membership, bool IsInitial, bool IsExpanded, long Known)
{
    /// <summary>Of a room that the user is in, or was.</summary>
    public RoomPlan? Part { get; set; }
    /// <summary>Of an invitation or a knock.</summary>
    public StrippedPlan? Stripped { get; set; }
    public long? Bump { get; set; }
    public bool IsComplete => Part is not null || Stripped is not null;
}

/// <summary>An answer of sliding sync as of one moment, and what the connection's state becomes when it is given.</summary>
internal sealed class SlidingAnswer
{
    public required AnswerPlan Plan { get; init; }
    public required Positions? Since { get; init; }
    public required Selection Selection { get; init; }
    public required List<ToldRoom> Rooms { get; init; }
    /// <summary>The same object as before: nothing changes.</summary>
    public required ConnectionState State { get; set; }
    public required ExtensionContext Context { get; init; }
    public required List<SlidingExtension> Extensions { get; init; }

    public bool HasNews => Rooms.Count > 0 || Extensions.Exists(e => e.HasNews);
}
