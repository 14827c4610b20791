namespace Matrix.Sync.Users;

/// <summary>Users who came into a room of this user, or left one, with the newest position of each: whose devices he has to hear of. Complete after <see cref="Floor"/>.</summary>
internal sealed class ContactTurns
{
    private const int Max = 5000;
    private readonly Dictionary<string, (long Position, bool IsJoined)> turns = new(StringComparer.Ordinal);

    public long Floor { get; set; }
    public long Last { get; private set; }
    public int Count => turns.Count;

    public void Add(long position, string userId, bool isJoined)
    {
        if (turns.Count >= Max)
        {
            turns.Clear();
            Floor = position - 1;
        }
        turns[userId] = (position, isJoined);
        Last = position;
    }

    /// <summary>Turns after that position.</summary>
    public IEnumerable<(string UserId, bool IsJoined)> After(long position)
    {
        if (Last <= position) yield break;
        foreach (var (userId, turn) in turns) if (turn.Position > position) yield return (userId, turn.IsJoined);
    }
}
