namespace Matrix.Sync.Users;

/// <summary>Members that a client was told because of events of theirs, so that they are not told again. Forgetting costs a repetition. Own lock.</summary>
internal sealed class ToldMembers
{
    private const int MaxKnown = 20_000;
    private readonly Dictionary<(string Room, string User), (long Nid, long ToldAt, long Version)> known = [];
    private (long ToldAt, long Version) newest;

    /// <summary>
    /// A request comes with that position: answers after it did not arrive, whatever the client will have seen later. Their members are told again.
    /// </summary>
    /// <param name="version">Of the connection of sliding sync: its next answer may be of the same position.</param>
    public void Begin(long since, long version)
    {
        lock (known)
        {
            if (newest.ToldAt <= since && newest.Version <= version) return;
            foreach (var (key, told) in known) if (told.ToldAt > since || told.Version > version) known.Remove(key);
            newest = (since, version);
        }
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
            if (known.Count >= MaxKnown) known.Clear();
            newest = (Math.Max(newest.ToldAt, now), Math.Max(newest.Version, version));
            if (!known.TryGetValue((room, user), out var told) || told.Nid != nid) known[(room, user)] = (nid, now, version);
        }
    }

    public void Clear()
    {
        lock (known) known.Clear();
    }
}
