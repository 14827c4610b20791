using System.Net.Sockets;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Setup;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Matrix.Storage.Instances;

/// <summary>Which instances this process is; asked when it listens, so that addresses are known. Empty: it only watches.</summary>
public sealed record OwnInstances(Func<IReadOnlyList<ServiceInstance>> Get);

/// <summary>
/// Follows the table <c>instances</c> over one connection of its own: a heartbeat and a look every four seconds, and at once when somebody comes or goes
/// (LISTEN). While the database is away the last list stands.
/// </summary>
public sealed partial class InstanceDirectory : IInstanceDirectory, IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);
    /// <summary>Longer than a heartbeat may be old, so that everybody had the chance to write a new one.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private readonly string connectionString;
    private readonly OwnInstances own;
    private readonly IHostApplicationLifetime lifetime;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly CancellationTokenSource stopping = new();
    private readonly SemaphoreSlim writing = new(1, 1);
    private InstanceList list = new([], 0);
    private IReadOnlyList<ServiceInstance> registered = [];
    private Task watching = Task.CompletedTask;
    private Task leaving = Task.CompletedTask;
    private Task registering = Task.CompletedTask;
    private bool isKnown;
    private bool hasLeft;
    private bool isAway;
    private bool noticed;
    private long lastReadAt;
    private long graceUntil;

    public InstanceDirectory(
        StorageOptions options, OwnInstances own, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<InstanceDirectory> log)
    {
        var settings = DatabaseSetup.Settings(options.ConnectionString, 0, 1, options.ApplicationName + "-instances");
        settings.Pooling = false;
        // Answers within moments or not at all: a hanging heartbeat is a missed one.
        settings.CommandTimeout = 3;
        settings.Timeout = 3;
        connectionString = settings.ConnectionString;
        (this.own, this.lifetime, this.time, this.log) = (own, lifetime, time, log);
    }

    public IReadOnlyList<ServiceInstance> All => Volatile.Read(ref list).All;
    public long Version => Volatile.Read(ref list).Version;
    public IReadOnlyList<ServiceInstance> Of(string groupOrService) => Volatile.Read(ref list).Of(groupOrService);

    public Task WaitForChangeAsync(long version, CancellationToken ct)
    {
        var current = Volatile.Read(ref list);
        return current.Version > version ? Task.CompletedTask : current.Changed.Task.WaitAsync(ct);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        watching = WatchAsync(stopping.Token);
        // Not inside the callback: the one that publishes the addresses may come after it.
        lifetime.ApplicationStarted.Register(() => registering = Task.Run(RegisterAsync, CancellationToken.None));
        lifetime.ApplicationStopping.Register(() => leaving = LeaveAsync());
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (stopping.IsCancellationRequested) return;
        await registering;
        await leaving;
        if (!hasLeft) await LeaveAsync();
        await stopping.CancelAsync();
        await watching;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        stopping.Dispose();
        writing.Dispose();
    }

    /// <summary>The first attempt to register; tests wait for it.</summary>
    internal Task Registering => registering;

    /// <summary>At once, over a connection for this purpose: the watching one waits for notices.</summary>
    private async Task RegisterAsync()
    {
        await writing.WaitAsync(stopping.Token);
        try
        {
            if (hasLeft || !AskOwn() || registered.Count == 0) return;
            await using var connection = await OpenAsync(stopping.Token);
            await InstanceStore.BeatAndListAsync(connection, registered, stopping.Token);
        }
        catch (Exception e) when (IsAway(e) || stopping.IsCancellationRequested)
        {
            // The next heartbeat registers.
            LogAway(log, e.Message);
        }
        finally
        {
            writing.Release();
        }
    }

    /// <summary>False: not known yet. Asked again before every heartbeat until it is.</summary>
    private bool AskOwn()
    {
        if (isKnown) return true;
        try
        {
            registered = own.Get();
            return isKnown = true;
        }
        catch (InvalidOperationException e)
        {
            LogNotKnown(log, e.Message);
            return false;
        }
    }

    /// <summary>Removes the own rows before the listener closes, so that nobody is sent here any more. Goes on watching: requests still run.</summary>
    private async Task LeaveAsync()
    {
        await writing.WaitAsync(CancellationToken.None);
        try
        {
            if (hasLeft) return;
            hasLeft = true;
            if (registered.Count == 0) return;
            using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(3), time);
            await using var connection = await OpenAsync(enough.Token);
            await InstanceStore.RemoveAsync(connection, registered, enough.Token);
        }
        catch (Exception e) when (IsAway(e) || e is OperationCanceledException)
        {
            // The heartbeat grows old by itself.
            LogNotRemoved(log, e.Message);
        }
        finally
        {
            writing.Release();
        }
    }

    private async Task WatchAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await using var connection = await OpenAsync(ct);
                connection.Notification += (_, _) => noticed = true;
                await using (var listen = new NpgsqlCommand("listen " + InstanceSql.Channel, connection)) await listen.ExecuteNonQueryAsync(ct);
                await InstanceStore.RemoveLongDeadAsync(connection, ct);
                while (!ct.IsCancellationRequested)
                {
                    noticed = false;
                    await BeatAsync(connection, ct);
                    if (!noticed) await connection.WaitAsync(Beat.Next(Period, time), ct);
                }
            }
            catch (Exception) when (ct.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (IsAway(e))
            {
                if (!isAway) LogAway(log, e.Message);
                isAway = true;
                await Task.Delay(Retry, time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task BeatAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await writing.WaitAsync(ct);
        try
        {
            if (lifetime.ApplicationStarted.IsCancellationRequested) AskOwn();
            var read = await InstanceStore.BeatAndListAsync(connection, hasLeft ? [] : registered, ct);
            var now = time.GetTimestamp();
            if (lastReadAt != 0 && time.GetElapsedTime(lastReadAt, now) > Period * 3) graceUntil = now + (long)(Grace.TotalSeconds * time.TimestampFrequency);
            lastReadAt = now;
            Show(list.After(read, grace: now < graceUntil));
            if (isAway) LogBack(log);
            isAway = false;
        }
        finally
        {
            writing.Release();
        }
    }

    private void Show(IReadOnlyList<ServiceInstance> now)
    {
        var before = list;
        if (before.All.SequenceEqual(now)) return;
        foreach (var instance in now.Except(before.All)) LogCame(log, instance.Service, instance.Name, instance.Address);
        foreach (var instance in before.All.Except(now)) LogWent(log, instance.Service, instance.Name, instance.Address);
        Volatile.Write(ref list, new InstanceList(now, before.Version + 1));
        before.Changed.SetResult();
    }

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken ct)
    {
        var connection = new NpgsqlConnection(connectionString);
        try
        {
            await connection.OpenAsync(ct);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static bool IsAway(Exception e) => e is NpgsqlException or SocketException or IOException or TimeoutException;

    [LoggerMessage(2001, LogLevel.Warning, "The table of instances cannot be reached ({Reason}); the last known list stands")]
    private static partial void LogAway(ILogger log, string reason);
    [LoggerMessage(2006, LogLevel.Debug, "The own addresses are not known yet: {Reason}")]
    private static partial void LogNotKnown(ILogger log, string reason);
    [LoggerMessage(2002, LogLevel.Information, "The table of instances can be reached again")]
    private static partial void LogBack(ILogger log);
    [LoggerMessage(2003, LogLevel.Warning, "This instance could not remove itself from the table ({Reason}); it is forgotten within seconds")]
    private static partial void LogNotRemoved(ILogger log, string reason);
    [LoggerMessage(2004, LogLevel.Information, "{Service} {Instance} is there at {Address}")]
    private static partial void LogCame(ILogger log, string service, string instance, string address);
    [LoggerMessage(2005, LogLevel.Information, "{Service} {Instance} at {Address} is gone")]
    private static partial void LogWent(ILogger log, string service, string instance, string address);
}
