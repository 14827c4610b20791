namespace Matrix.Sync.Users;

/// <summary>Members that a client was told because of events of theirs, so that they are not told again. Forgetting costs a repetition. Own lock.</summary>
internal sealed class ToldMembers
{
    private const int MaxKnown = 20_000;
    private readonly Dictionary<(string Room, string User), (long Nid, long ToldAt, long Version)> known = [], pending = [];
    private (long ToldAt, long Version) newest;

    /// <summary>
    /// A request comes with that position: the client has the answer of just that position, if it was made here, and those before it. Others did not arrive, or it
    /// cannot be known, because another process answered in between: their members are told again.
    /// </summary>
    /// <param name="version">Of the connection of sliding sync: its next answer may be of the same position.</param>
    public void Begin(long since, long version)
    {
        lock (known)
        {
            if (newest.ToldAt > since || newest.Version > version)
            {
                foreach (var (key, told) in known) if (told.ToldAt > since || told.Version > version) known.Remove(key);
                newest = (since, version);
            }
            foreach (var (key, told) in pending) if (told.ToldAt == since && told.Version <= version) Keep(key, told);
            pending.Clear();
        }
    }

    private void Keep((string Room, string User) key, (long Nid, long ToldAt, long Version) told)
    {
        if (known.Count >= MaxKnown) known.Clear();
        newest = (Math.Max(newest.ToldAt, told.ToldAt), Math.Max(newest.Version, told.Version));
        known[key] = told;
    }

    /// <summary>
    /// Whether the client has that member event from an answer up to its <paramref name="since"/> (one under way may be lost).
    /// </summary>
    public bool Knows(string room, string user, long nid, long since, long version)
    {
        lock (known) return known.TryGetValue((room, user), out var told) && told.Nid == nid && told.ToldAt <= since && told.Version <= version;
    }

    public void Told(string room, string user, long nid, long now, long version)
    {
        lock (known)
        {
            if (known.TryGetValue((room, user), out var told) && told.Nid == nid) return;
            if (pending.Count >= MaxKnown) pending.Clear();
            pending[(room, user)] = (nid, now, version);
        }
    }

    public void Clear()
    {
        lock (known)
        {
            known.Clear();
            pending.Clear();
        }
    }
}
