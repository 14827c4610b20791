namespace Matrix.Gateway.Fleet;

/// <summary>The instances that may answer requests of a group at this moment. Never changes; a new one takes its place.</summary>
internal sealed class Pool(string group, Backend[] members)
{
    private int turn = -1;

    public string Group { get; } = group;
    public Backend[] Members { get; } = members;
    /// <summary>Names of <see cref="Members"/>, in the same order.</summary>
    public string[] Names { get; } = [.. members.Select(m => m.Name)];

    public int NextTurn() => (int)((uint)Interlocked.Increment(ref turn) % (uint)Members.Length);
}
