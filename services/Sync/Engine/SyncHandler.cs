using System.Diagnostics;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Sync.Answers;
using Matrix.Sync.Encryption;
using Matrix.Sync.Store;
using Matrix.Sync.Users;

namespace Matrix.Sync.Engine;

/// <summary>
/// One request: as far as the client has seen, then an answer at once, or when there is one, or when the time is over. Waiting costs a waiter and a
/// timer, nothing else.
/// </summary>
internal sealed class SyncHandler(
    SyncState state, ISyncStore store, UserTable users, CatchUp catchUp, AnswerBuilder builder, EncryptionNews encryption, Shutdown shutdown,
    TimeProvider clock)
{
    private static readonly ActivitySource Activities = new("Armada.Sync");

    /// <summary>The answer of /sync; the caller disposes it.</summary>
    public Task<PooledBuffer> HandleAsync(SyncRequest request, TimeSpan timeout, CancellationToken ct) =>
        HandleAsync(request, SyncForm.Instance, timeout, ct);

    /// <summary>The same in another form.</summary>
    public async Task<PooledBuffer> HandleAsync(SyncRequest request, IAnswerForm form, TimeSpan timeout, CancellationToken ct)
    {
        var started = clock.GetTimestamp();
        if (request.Since is { } token) await catchUp.TryReachAsync(token.Persistent, ct);
        else await ReachDatabaseAsync(ct);
        var (user, device) = await users.PinAsync(request.UserId, request.DeviceId, ct);
        try
        {
            if (request.Since is { } acknowledged) await AcknowledgeAsync(user, device, request.DeviceId, acknowledged.ToDevice, ct);
            if (request is { LazyMembers: true, Since: { } seen }) device.Members.Begin(seen.Events, version: 0);
            return await AnswerAsync(new Reader(request, user, device), form, timeout, started, ct);
        }
        finally
        {
            user.Unpin();
        }
    }

    private async Task<PooledBuffer> AnswerAsync(Reader reader, IAnswerForm form, TimeSpan timeout, long started, CancellationToken ct)
    {
        ActivityContext cause = default;
        while (true)
        {
            // Part of the trace of what woke it, linked with the request that waited.
            using var delivery = cause == default
                ? null
                : Activities.StartActivity("deliver", ActivityKind.Internal, cause, links: Activity.Current is { } waited ? [new ActivityLink(waited.Context)] : null);
            var version = reader.User.Signal.Version;
            var (answer, seen) = await LookAsync(reader, form, timeout, started, ct);
            if (answer is not null) return answer;
            // What came was not for this client: the next look begins here.
            reader = reader with { Request = reader.Request with { Since = seen } };
            cause = await reader.User.Signal.WaitAsync(version, timeout - clock.GetElapsedTime(started), clock, ct) ? reader.User.Signal.Trace : default;
        }
    }

    /// <summary>The answer, or up to where there was nothing to tell: all that a request keeps while it waits.</summary>
    private async Task<(PooledBuffer? Answer, Positions Seen)> LookAsync(Reader reader, IAnswerForm form, TimeSpan timeout, long started, CancellationToken ct)
    {
        var request = reader.Request;
        var plan = MayHaveNews(reader, out var quiet) ? await builder.BuildAsync(reader, ct) : quiet!;
        var isOver = shutdown.IsStopping || clock.GetElapsedTime(started) >= timeout;
        if (!form.HasNews(plan) && !request.IsInitial && !request.FullState && !isOver) return (null, plan.Now);
        if (form.TellsKeys) await encryption.RefreshCountsAsync(reader.User, reader.Device, request.DeviceId, ct);
        await form.CompleteAsync(plan, reader, ct);
        return (Write(plan, reader, form), plan.Now);
    }

    /// <summary>False: <paramref name="quiet"/> is the answer that tells nothing, as of now.</summary>
    private bool MayHaveNews(Reader reader, out AnswerPlan? quiet)
    {
        quiet = null;
        if (reader.Request.Since is not { } since || reader.Request.FullState) return true;
        using (state.Read())
        {
            var now = state.Now.NotBefore(since);
            if (AnswerPlanner.MayHaveNews(reader, since.WithResets(now), state.NowMs)) return true;
            quiet = new AnswerPlan { Now = now with { TypingTsMs = since.TypingTsMs }, NowMs = state.NowMs };
            return false;
        }
    }

    private static PooledBuffer Write(AnswerPlan plan, Reader reader, IAnswerForm form)
    {
        var output = new PooledBuffer(plan.HasNews ? 8192 : 512);
        form.Write(output, plan, reader);
        return output;
    }

    /// <summary>An initial sync holds everything that was committed before it was asked for.</summary>
    public async Task ReachDatabaseAsync(CancellationToken ct)
    {
        var positions = await store.PositionsAsync(ct);
        StreamDefinition[] streams = [Streams.Events, Streams.Receipts, Streams.AccountData, Streams.ToDevice];
        await catchUp.ReachAsync(streams.Select(s => (s, positions.GetValueOrDefault(s))), ct);
    }

    /// <summary>What the client has seen is deleted. Spec: client-server-api/#send-to-device-messaging</summary>
    public async Task AcknowledgeAsync(User user, Device device, string deviceId, long upTo, CancellationToken ct)
    {
        if (device.FirstToDevice > upTo) return;
        await store.DeleteToDeviceAsync(user.Id, deviceId, upTo, ct);
        using (state.Write()) device.Acknowledged(upTo);
    }
}

/// <summary>When the process stops, parked requests are answered at once: clients go on elsewhere.</summary>
internal sealed class Shutdown
{
    public Shutdown(IHostApplicationLifetime lifetime, SyncState state) => lifetime.ApplicationStopping.Register(() =>
    {
        IsStopping = true;
        List<User> users;
        using (state.Read())
        {
            users = [.. state.Users.Values];
            foreach (var room in state.Rooms.Values) room.WakePeekers();
        }
        foreach (var user in users) user.Signal.Wake();
    });

    public bool IsStopping { get; private set; }
}
