using FsCheck;
using FsCheck.Fluent;
using Matrix.Replication;
using Matrix.Testing.Replication;

namespace Matrix.Unit.Replication;

/// <summary>Whatever the bus does, and whenever bus or database go away, a consumer ends in the same state.</summary>
public class LossyBusProperties
{
    private static readonly StreamDefinition[] Followed = [Streams.Caches, Streams.Events, Streams.Receipts];

    [Fact]
    public void Every_row_is_given_once_and_in_order_whatever_the_bus_does() =>
        Prop.ForAll<int, byte[]>((seed, steps) => PersistentAsync(seed, steps).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithEndSize(120));

    [Fact]
    public void An_ephemeral_stream_ends_with_the_newest_of_each_key_whatever_the_bus_does() =>
        Prop.ForAll<int, byte[]>((seed, steps) => EphemeralAsync(seed, steps).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithEndSize(120));

    private static async Task PersistentAsync(int seed, byte[] steps)
    {
        var consumer = new RecordingConsumer(Followed);
        await using var host = new FollowerHost(seed, BusFaults.Many, consumer);
        var starts = steps.Length == 0 ? 0 : (uint)seed % steps.Length;
        var began = new Dictionary<StreamDefinition, long>();
        for (var i = 0; i < steps.Length; i++)
        {
            if (i == starts) await StartAsync();
            var amount = steps[i] >> 4;
            switch (steps[i] & 15)
            {
                case <= 8:
                    var stream = Followed[(steps[i] & 15) % 3];
                    // One to four positions of no to three rows each.
                    var batch = Enumerable.Range(0, 1 + (amount & 3))
                        .Select(p => (IReadOnlyList<(string, byte[])>)Enumerable.Range(0, (amount + p) & 3).Select(r => ($"!{r}", new[] { (byte)i, (byte)p })).ToList())
                        .ToArray();
                    var frame = host.Source.Commit(stream, batch);
                    // Some writers are processes that follow, some are others, one died between COMMIT and publishing.
                    if (amount < 4) await host.Publisher.PublishAsync(frame.Stream, frame.From, frame.To, frame.Rows, default);
                    else if (amount < 15) await host.PublishAsync(frame);
                    break;
                case <= 10:
                    await host.Bus.PumpAsync();
                    break;
                case <= 12:
                    host.Time.Advance(TimeSpan.FromMilliseconds(amount * 5));
                    break;
                case 13:
                    host.Bus.IsConnected = !host.Bus.IsConnected;
                    break;
                case 14:
                    host.Source.IsAway = !host.Source.IsAway;
                    break;
                default:
                    host.Time.Advance(TimeSpan.FromSeconds(1));
                    break;
            }
        }
        host.Bus.IsConnected = true;
        host.Source.IsAway = false;
        if (began.Count == 0) await StartAsync();
        await host.UntilAsync(() => host.Follower.IsReady, "ready");
        await host.SettledAsync();
        Assert.Empty(consumer.Breaches);
        foreach (var stream in Followed)
        {
            var given = consumer.Rows(stream).Select(Text).ToList();
            var all = host.Source.RowsAfter(stream, 0).Select(Text).ToList();
            // When the database was away at the start it began later; never in the middle, and with nothing missing after that.
            Assert.Equal(all.TakeLast(given.Count), given);
            if (began[stream] >= 0) Assert.Equal(host.Source.RowsAfter(stream, began[stream]).Count, given.Count);
        }

        async Task StartAsync()
        {
            foreach (var stream in Followed) began[stream] = host.Source.IsAway ? -1 : host.Source.Position(stream);
            await host.StartAsync();
        }
    }

    private static async Task EphemeralAsync(int seed, byte[] steps)
    {
        var consumer = new RecordingConsumer(Streams.Typing);
        await using var host = new FollowerHost(seed, BusFaults.Many, consumer);
        await host.StartAsync();
        var truth = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        for (var i = 0; i < steps.Length; i++)
        {
            var amount = steps[i] >> 4;
            switch (steps[i] & 15)
            {
                case <= 9:
                    var (key, payload) = ($"!{amount & 7}", new[] { (byte)i });
                    var position = amount < 8
                        ? await host.Publisher.PublishEphemeralAsync(Streams.Typing, key, payload, default)
                        : await host.Bus.PublishEphemeralAsync(Streams.Typing, key, payload, default);
                    if (position > 0) truth[key] = payload;
                    break;
                case <= 11:
                    await host.Bus.PumpAsync();
                    break;
                case 12:
                    host.Bus.IsConnected = !host.Bus.IsConnected;
                    break;
                case 13:
                    host.Time.Advance(TimeSpan.FromMilliseconds(1));
                    host.Bus.LoseEphemeralData();
                    truth.Clear();
                    break;
                default:
                    host.Time.Advance(TimeSpan.FromMilliseconds(amount * 20));
                    break;
            }
        }
        host.Bus.IsConnected = true;
        await host.UntilAsync(
            () => host.Bus.Travelling == 0 && host.Follower.CatchUpsUnderWay == 0 && Text(consumer.Newest(Streams.Typing)) == Text(truth),
            "the newest of each key");
        Assert.Empty(consumer.Breaches);
    }

    private static string Text(StreamRow row) => $"{row.Position} {row.Key} {Convert.ToHexString(row.Payload.Span)}";
    private static string Text(IReadOnlyDictionary<string, byte[]> newest) =>
        string.Join(' ', newest.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => $"{n.Key}={Convert.ToHexString(n.Value)}"));
}
