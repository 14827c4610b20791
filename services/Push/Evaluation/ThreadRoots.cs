using Matrix.Storage.Relations;

namespace Matrix.Push.Evaluation;

/// <summary>Finds the threads of notices that do not know theirs.</summary>
internal sealed class ThreadRoots(ThreadReader reader)
{
    public async Task FindAsync(IEnumerable<UnreadNotice> notices, CancellationToken ct)
    {
        var open = notices.Where(n => n.Thread is null).ToList();
        if (open.Count == 0) return;
        var roots = await reader.RootsAsync(open.ConvertAll(n => (n.RoomNid, n.Relation)), ct);
        for (var i = 0; i < roots.Length; i++) open[i].Thread = roots[i] ?? UnreadNotice.Main;
    }
}
