using System.Globalization;
using System.Runtime.InteropServices;
using Xunit.Sdk;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>
/// Clients of both kinds walk through instances that forget, come and go, over a bus that loses frames, while everything changes. What each was told is
/// compared with the database: nothing missing, nothing twice, nothing that he may not see.
/// </summary>
public sealed class ModelTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    public static TheoryData<int> Seeds => ModelRun.Seeds(1, 2, 512, 3004, 3012, 7005, 9125, 52012);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task What_clients_were_told_over_a_bus_that_loses_frames_is_the_truth(int seed)
    {
        fixture.Bus.Loss = 0.2;
        await ModelRun.RunAsync(fixture, seed, steps: 110, betweenSteps: null, () =>
        {
            fixture.Bus.Loss = 0;
            return Task.CompletedTask;
        });
    }
}

/// <summary>The same, and Redis is killed again and again.</summary>
public sealed class ModelWithoutRedisTests(RedisSyncFixture fixture) : IClassFixture<RedisSyncFixture>
{
    public static TheoryData<int> Seeds => ModelRun.Seeds(11, 12, 301);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task What_clients_were_told_while_Redis_was_lost_is_the_truth(int seed)
    {
        var (isThere, random) = (true, new Random(seed));
        await ModelRun.RunAsync(fixture, seed, steps: 80, async () =>
        {
            if (random.Next(20) != 0) return;
            if (isThere) await fixture.Redis.KillAsync();
            else await fixture.Redis.StartAsync();
            isThere = !isThere;
        }, async () =>
        {
            if (!isThere) await fixture.Redis.StartAsync();
            isThere = true;
        });
    }
}

internal static class ModelRun
{
    /// <summary>Those, or from ARMADA_MODEL_SEEDS: the first one and how many, such as <c>1000,50</c>.</summary>
    public static TheoryData<int> Seeds(params int[] usual) => Environment.GetEnvironmentVariable("ARMADA_MODEL_SEEDS")?.Split(',') is [var first, var count]
        ? [.. Enumerable.Range(int.Parse(first, CultureInfo.InvariantCulture), int.Parse(count, CultureInfo.InvariantCulture))] : [.. usual];

    /// <param name="heal">Before the end everything works again.</param>
    public static async Task RunAsync(SyncFixture fixture, int seed, int steps, Func<Task>? betweenSteps, Func<Task> heal)
    {
        var random = new Random(seed);
        var world = new ModelWorld(fixture, seed, random);
        await using var fleet = new ModelFleet(fixture, seed);
        try
        {
            await world.BeginAsync();
            var clients = world.Users.SelectMany(user => ModelWorld.Devices.Select(device => NewClient(user.On(device), world, new Random(random.Next())))).ToList();
            for (var step = 0; step < steps; step++)
            {
                // Clients ask while the change is made, or after it.
                var change = world.Next(step)();
                if (random.Next(2) == 0) await change;
                random.Shuffle(CollectionsMarshal.AsSpan(clients));
                await Task.WhenAll([change, .. clients.Take(random.Next(4)).Select(client => client.StepAsync(fleet.Any(random)))]);
                if (step == steps / 2) await world.BurstAsync();
                if (random.Next(12) == 0 || step == steps / 2) fleet.Evict(random);
                if (random.Next(25) == 0) await fleet.RescaleAsync(random);
                if (betweenSteps is not null) await betweenSteps();
            }
            await heal();
            await fleet.AddAsync();
            await fleet.SettleAsync();
            foreach (var client in clients) await client.DrainAsync(fleet.Any(random));
            // Others come late, and are told everything.
            var late = world.Users.SelectMany(user => new ModelClient[]
            {
                new ClassicModel(user.On("LATE"), world, random, isThrifty: false), new SlidingModel(user.On("LATEST"), world, random, isLazy: false),
            }).ToList();
            foreach (var client in late) await client.DrainAsync(fleet.Newest);
            clients.AddRange(late);
            if (betweenSteps is null) foreach (var client in clients) new ModelCheck(client, world, ModelTruth.None).Typing();
            await world.EndAsync();
            await fleet.SettleAsync();
            var truth = await ModelTruth.ReadAsync(fixture, world);
            foreach (var client in clients)
            {
                await client.DrainAsync(fleet.Any(random));
                new ModelCheck(client, world, truth).Run();
            }
        }
        catch (XunitException e)
        {
            throw new XunitException($"seed {seed}: {e.Message}", e);
        }
    }

    private static ModelClient NewClient(SyncUser user, ModelWorld world, Random random) => user.Device switch
    {
        "CLASSIC" => new ClassicModel(user, world, random, isThrifty: false),
        "THRIFTY" => new ClassicModel(user, world, random, isThrifty: true),
        "SLIDING" => new SlidingModel(user, world, random, isLazy: false),
        _ => new SlidingModel(user, world, random, isLazy: true),
    };
}
