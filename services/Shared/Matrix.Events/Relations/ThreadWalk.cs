namespace Matrix.Events;

/// <summary>
/// From an event to the thread that it belongs to: the one that it names, or that what it relates to belongs to; else the main timeline, as a root itself
/// does. Whoever walks looks at <see cref="Next"/> and tells what that relates to, until there is none. Spec: client-server-api/#threaded-read-receipts
/// </summary>
public struct ThreadWalk
{
    public const string Main = "main";
    /// <summary>Relations that are followed at most.</summary>
    public const int MaxHops = 3;

    private int hops;

    /// <param name="relation">Of the event; null: it has none.</param>
    public ThreadWalk(EventRelation? relation) => Follow(relation);

    /// <summary>Event id of the root; null: the main timeline, or not known yet.</summary>
    public string? Root { get; private set; }
    /// <summary>Event that has to be looked at; null: <see cref="Root"/> is right.</summary>
    public string? Next { get; private set; }

    /// <param name="ofNext">What <see cref="Next"/> relates to; null: nothing, or it is not in this room.</param>
    public void Step(EventRelation? ofNext)
    {
        hops++;
        Follow(ofNext);
    }

    private void Follow(EventRelation? relation)
    {
        Root = relation is { RelType: RelationTypes.Thread } thread ? thread.ParentId : null;
        Next = Root is null && hops < MaxHops ? relation?.ParentId : null;
    }
}
