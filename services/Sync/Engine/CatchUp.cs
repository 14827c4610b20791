using Matrix.Primitives;
using Matrix.Replication;

namespace Matrix.Sync.Engine;

/// <summary>Waiting, for a bounded time, until this process has come as far as somebody has seen.</summary>
internal sealed class CatchUp(IStreamFollower follower)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    /// <summary>False: this process did not come that far in time.</summary>
    public async ValueTask<bool> TryReachAsync(IEnumerable<(StreamDefinition Stream, long Position)> positions, CancellationToken ct)
    {
        foreach (var (stream, position) in positions)
        {
            if (follower.Position(stream) >= position) continue;
            if (!await WaitAsync(stream, position, ct)) return false;
        }
        return true;
    }

    /// <summary>What this process has missed is read for everybody: that is no part of the request that happens to wait for it, nor of its trace.</summary>
    private Task<bool> WaitAsync(StreamDefinition stream, long position, CancellationToken ct)
    {
        var apart = ExecutionContext.IsFlowSuppressed() ? (AsyncFlowControl?)null : ExecutionContext.SuppressFlow();
        try
        {
            return follower.WaitForAsync(stream, position, Longest, ct).AsTask();
        }
        finally
        {
            apart?.Undo();
        }
    }

    public async ValueTask ReachAsync(IEnumerable<(StreamDefinition Stream, long Position)> positions, CancellationToken ct)
    {
        if (!await TryReachAsync(positions, ct)) throw MatrixError.Unavailable("This instance is behind its database.").AsException();
    }
}
