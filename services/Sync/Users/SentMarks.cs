using Matrix.Events;

namespace Matrix.Sync.Users;

/// <summary>How far a user has read a room by sending something himself, thread by thread. Spec: client-server-api/#marking-notifications-as-read</summary>
internal sealed class SentMarks
{
    private long main;
    private Dictionary<string, long>? threads;

    /// <summary>Position in stream events; 0: he has sent nothing there.</summary>
    /// <param name="thread">Event id of the root, or <see cref="ThreadWalk.Main"/>.</param>
    public long UpTo(string thread) => thread == ThreadWalk.Main ? main : threads?.GetValueOrDefault(thread) ?? 0;

    public void Add(string thread, long position)
    {
        if (thread == ThreadWalk.Main) main = Math.Max(main, position);
        else (threads ??= new(StringComparer.Ordinal))[thread] = Math.Max(UpTo(thread), position);
    }
}
