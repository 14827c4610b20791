namespace Matrix.Sync.Users;

/// <summary>
/// Users who came into a room of this user, or left one, with the newest position of each: whose devices he has to hear of. Who did both is in both: he may share
/// another room. Complete after <see cref="Floor"/>.
/// </summary>
internal sealed class ContactTurns
{
    private const int Max = 5000;
    private readonly Dictionary<string, (long Joined, long Left)> turns = new(StringComparer.Ordinal);

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
        var (joined, left) = turns.GetValueOrDefault(userId);
        turns[userId] = isJoined ? (position, left) : (joined, position);
        Last = position;
    }

    /// <summary>Turns after that position.</summary>
    public IEnumerable<(string UserId, bool IsJoined)> After(long position)
    {
        if (Last <= position) yield break;
        foreach (var (userId, (joined, left)) in turns)
        {
            if (joined > position) yield return (userId, true);
            if (left > position) yield return (userId, false);
        }
    }
}
