using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage;
using Matrix.Storage.Following;
using Matrix.Storage.Instances;
using Matrix.Storage.Streams;
using Matrix.Testing.Servers;
using Matrix.Testing.Time;
using Matrix.Web.Following;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Matrix.ServiceTests.Following;

/// <summary>What following costs the database.</summary>
[Collection("alone")]
public sealed class DutyFollowerTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private static readonly StreamDefinition Stream = Streams.Pushers;
    private static int counter;
    private readonly Duty duty = new($"duty-{Interlocked.Increment(ref counter)}");
    private readonly ManualTime clock = new();

    private sealed class Duty(string reader) : IFollowingDuty
    {
        public List<string> Applied { get; } = [];
        public string Reader => reader;
        public IReadOnlyList<StreamDefinition> Streams { get; } = [Stream];
        public bool IsMine => true;
        public int Beginnings { get; private set; }
        public Task RebuildAsync(CancellationToken ct) => Task.CompletedTask;
        public void Begin() => Beginnings++;
        public bool Concerns(StreamDefinition stream, StreamRow row) => row.Key.StartsWith("mine", StringComparison.Ordinal);

        public Task ApplyAsync(NpgsqlTransaction tx, StreamDefinition stream, IReadOnlyList<StreamRow> rows, CancellationToken ct)
        {
            Applied.AddRange(rows.Select(r => r.Key));
            return Task.CompletedTask;
        }
    }

    private async Task<ServiceHost> StartAsync()
    {
        var host = await StartHostAsync();
        await host.Services.GetRequiredKeyedService<DutyFollower>("duty").WaitForAsync(Stream, 0, TestContext.Current.CancellationToken);
        return host;
    }

    private Task<ServiceHost> StartHostAsync() => ServiceHost.StartAsync(
        postgres.ConnectionString, b => b.Services.AddFollowing().AddFollower("duty", _ => duty), _ => { },
        replace: s => s.AddSingleton(p => new FollowingContext(
            p.GetRequiredService<InstanceIdentity>().Name, p.GetRequiredService<Database>(), p.GetRequiredService<IStreamSource>(),
            p.GetRequiredService<IStreamFollower>(), p.GetRequiredService<LeaseStore>(), p.GetRequiredService<SavedPositions>(), clock)));

    private CountedStatements Count() => new(postgres.ConnectionString, s => s.Contains("stream_cursors") || s.Contains("leases"));

    private async Task<long> WriteAsync(ServiceHost host, params string[] keys)
    {
        var rows = keys.Select(k => (k, ReadOnlyMemory<byte>.Empty)).ToList();
        var (from, to) = await StreamCounters.AppendAsync(postgres.Database, Stream, rows, CancellationToken.None);
        await host.Services.GetRequiredService<IStreamPublisher>().PublishAsync(Stream, from, to, StreamCounters.Number(from, rows), CancellationToken.None);
        await host.Services.GetRequiredKeyedService<DutyFollower>("duty").WaitForAsync(Stream, to, TestContext.Current.CancellationToken);
        return to;
    }

    private async Task<long> SavedAsync() => (await new SavedPositions(postgres.Database).LoadAsync(duty.Reader, CancellationToken.None))[Stream];

    [Fact]
    public async Task Rows_that_do_not_concern_it_cost_nothing_and_are_passed_for_good_when_it_stops()
    {
        long passed;
        await using (var host = await StartAsync())
        {
            var worked = await WriteAsync(host, "mine 1");
            using var sql = Count();
            for (var i = 0; i < 5; i++) await WriteAsync(host, "other", "another");
            passed = await WriteAsync(host, "other");
            Assert.Empty(sql.All);
            Assert.Equal(worked, await SavedAsync());
        }
        Assert.Equal(passed, await SavedAsync());
        Assert.Equal(["mine 1"], duty.Applied);
    }

    [Fact]
    public async Task A_row_that_concerns_it_saves_the_position_with_the_work()
    {
        await using var host = await StartAsync();
        await WriteAsync(host, "other");
        using var sql = Count();
        var to = await WriteAsync(host, "other", "mine 1", "other");
        Assert.Equal(to, await SavedAsync());
        Assert.Equal(["mine 1"], duty.Applied);
        Assert.Equal(1, sql.Containing("update stream_cursors"));
        Assert.Equal(0, sql.Containing("leases"));
    }

    [Fact]
    public async Task The_lease_is_renewed_and_the_position_saved_now_and_then()
    {
        await using var host = await StartAsync();
        await WriteAsync(host, "mine 1");
        using var sql = Count();
        clock.Advance(TimeSpan.FromSeconds(6));
        await WriteAsync(host, "other");
        Assert.Equal(1, sql.Containing("leases"));
        clock.Advance(TimeSpan.FromSeconds(6));
        var to = await WriteAsync(host, "other");
        // The save comes after the work of a round: the next round begins when it is done.
        await WriteAsync(host, "mine 2");
        Assert.Equal(2, sql.Containing("update stream_cursors"));
        Assert.True(await SavedAsync() > to);
    }

    [Fact]
    public async Task Who_finds_the_position_moved_by_another_begins_again_from_there()
    {
        await using var host = await StartAsync();
        var to = await WriteAsync(host, "mine 1");
        await new SavedPositions(postgres.Database).SetAsync(duty.Reader, Stream, to - 1, CancellationToken.None);
        await WriteAsync(host, "mine 2");
        Assert.Equal(2, duty.Beginnings);
        // Given first to no avail: its transaction did not commit.
        Assert.Equal(["mine 1", "mine 2", "mine 1", "mine 2"], duty.Applied);
    }
}
