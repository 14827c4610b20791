namespace Matrix.ServiceDefaults.Hosting;

/// <summary>Threads of the pool with which a service begins that waits more than it computes (services/Waiting.props): one for each four cores.</summary>
internal static class PoolThreads
{
    private const string Configured = "System.Threading.ThreadPool.MinThreads";
    private const int CoresEach = 4;

    /// <summary>A burst on a large machine shall not wait until the pool has grown. Leaves alone what computes, and begins with a thread for each core.</summary>
    public static void Begin()
    {
        if (AppContext.GetData(Configured) is null) return;
        ThreadPool.GetMinThreads(out _, out var completion);
        ThreadPool.SetMinThreads(For(Environment.ProcessorCount), completion);
    }

    internal static int For(int cores) => Math.Max(1, cores / CoresEach);
}
