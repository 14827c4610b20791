namespace Matrix.Sync.Users;

/// <summary>Members that a client was told because of events of theirs, so that they are not told again. Forgetting costs a repetition. Own lock.</summary>
internal sealed class ToldMembers
{
    private const int MaxKnown = 20_000;
    private readonly Dictionary<(string Room, string User), (long Nid, long ToldAt)> known = [];

    /// <summary>
    /// Whether the client has that member event from an answer up to its <paramref name="since"/> (later answers may have been lost on the way).
    /// </summary>
    public bool Knows(string room, string user, long nid, long since)
    {
        lock (known) return known.TryGetValue((room, user), out var told) && told.Nid == nid && told.ToldAt <= since;
    }

    public void Told(string room, string user, long nid, long now)
    {
        lock (known)
        {
            if (known.Count >= MaxKnown) known.Clear();
            if (!known.TryGetValue((room, user), out var told) || told.Nid != nid) known[(room, user)] = (nid, now);
        }
    }

    public void Clear()
    {
        lock (known) known.Clear();
    }
}
