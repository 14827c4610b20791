using Matrix.Primitives;
using Matrix.Sync.Answers;
using Matrix.Sync.Engine;
using Matrix.Sync.Users;

namespace Matrix.Sync.Sliding;

/// <summary>
/// One request of sliding sync: an answer at once, or when there is something to tell, or when the time is over. A position is a stream token with the
/// connection (<c>c</c>) and the version of its state (<c>v</c>) in it.
/// </summary>
internal sealed class SlidingHandler(
    SyncState state, SyncHandler handler, UserTable users, CatchUp catchUp, Connections connections, SlidingBuilder builder, Shutdown shutdown,
    TimeProvider clock)
{
    private const char ConnectionLetter = 'c', VersionLetter = 'v';

    /// <summary>The answer; the caller disposes it.</summary>
    public async Task<PooledBuffer> HandleAsync(SlidingRequest request, string? pos, TimeSpan timeout, CancellationToken ct)
    {
        var started = clock.GetTimestamp();
        var (connection, since) = await FindAsync(request, pos, ct);
        if (since is { } token) await catchUp.TryReachAsync(token.Persistent, ct);
        else await handler.ReachDatabaseAsync(ct);
        var (user, device) = await users.PinAsync(request.UserId, request.DeviceId, ct);
        try
        {
            foreach (var extension in request.Extensions)
                if (extension is { Name: "to_device", Options.Since: { } seen }) await handler.AcknowledgeAsync(user, device, request.DeviceId, seen, ct);
            if (since is { } from) connection.Told.Begin(from.Events, connection.Version);
            return await AnswerAsync(ReaderOf(request, since, connection, user, device), request, connection, timeout, started, ct);
        }
        finally
        {
            user.Unpin();
        }
    }

    /// <summary>The first answer, which nobody will get: nothing is stored.</summary>
    public async Task<PooledBuffer> RehearseAsync(SlidingRequest request, CancellationToken ct)
    {
        await handler.ReachDatabaseAsync(ct);
        var (user, device) = await users.PinAsync(request.UserId, request.DeviceId, ct);
        try
        {
            var connection = Connection.New(request);
            var reader = ReaderOf(request, null, connection, user, device);
            return Write(await builder.BuildAsync(reader, request, connection.State, ct), reader, request, connection);
        }
        finally
        {
            user.Unpin();
        }
    }

    private static Reader ReaderOf(SlidingRequest request, Positions? since, Connection connection, User user, Device device) => new(
        new SyncRequest(request.UserId, request.DeviceId, Events.Filter.All, since, FullState: false, UseStateAfter: true)
        {
            ExactTimelineLimit = 0, Required = RequiredState.None, CountsUnread = false,
        },
        user, device) { Members = connection.Told, Version = connection.Version };

    private async ValueTask<(Connection Connection, Positions? Since)> FindAsync(SlidingRequest request, string? pos, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(pos)) return (Connection.New(request), null);
        if (!StreamToken.TryParse(pos, null, out var token) || token[ConnectionLetter] is not { } nid || token[VersionLetter] is not { } version)
            throw Connections.UnknownPos();
        return (await connections.FindAsync(request.UserId, request.DeviceId, nid, version, ct), Positions.Of(token));
    }

    private async Task<PooledBuffer> AnswerAsync(
        Reader reader, SlidingRequest request, Connection connection, TimeSpan timeout, long started, CancellationToken ct)
    {
        var before = connection.State;
        for (var isFirst = true; ; isFirst = false)
        {
            var version = reader.User.Signal.Version;
            var isOver = shutdown.IsStopping || clock.GetElapsedTime(started) >= timeout;
            // The first look is a whole one: the client may ask for other rooms than before.
            if (isFirst || isOver || MayHaveNews(reader))
            {
                var (output, seen) = await LookAsync(reader, request, connection, before, isOver, ct);
                if (output is not null) return output;
                // What came was not for this client: the next look begins here.
                before = seen!.State;
                reader = reader with { Request = reader.Request with { Since = seen.Now } };
            }
            await reader.User.Signal.WaitAsync(version, timeout - clock.GetElapsedTime(started), clock, ct);
        }
    }

    /// <summary>What is left of a look that found nothing to tell: all that a request keeps while it waits.</summary>
    private sealed record Seen(ConnectionState State, Positions Now);

    private async Task<(PooledBuffer? Answer, Seen? Seen)> LookAsync(
        Reader reader, SlidingRequest request, Connection connection, ConnectionState before, bool isOver, CancellationToken ct)
    {
        var answer = await builder.BuildAsync(reader, request, before, ct);
        if (!answer.HasNews && !reader.Request.IsInitial && !isOver) return (null, new(answer.State, answer.Plan.Now));
        return (await WriteAsync(answer, reader, request, connection, ct), null);
    }

    private bool MayHaveNews(Reader reader)
    {
        using (state.Read()) return AnswerPlanner.MayHaveNews(reader, reader.Request.Since!.Value.WithResets(state.Now), state.NowMs);
    }

    /// <summary>What the client will know is stored before it is told.</summary>
    private async Task<PooledBuffer> WriteAsync(SlidingAnswer answer, Reader reader, SlidingRequest request, Connection connection, CancellationToken ct)
    {
        if (connection.Version == 0 || !ReferenceEquals(answer.State, connection.State))
            connection = await connections.SaveAsync(connection, request.ConnId, answer.State, ct);
        return Write(answer, reader, request, connection);
    }

    private static PooledBuffer Write(SlidingAnswer answer, Reader reader, SlidingRequest request, Connection connection)
    {
        AnswerBuilder.RememberTold(answer.Plan, reader with { Version = connection.Version });
        var pos = answer.Plan.Now.ToToken().With(ConnectionLetter, connection.Nid).With(VersionLetter, connection.Version);
        var output = new PooledBuffer(answer.HasNews ? 8192 : 512);
        new SlidingWriter(output, answer, reader, request).Write(pos.ToString());
        return output;
    }
}
