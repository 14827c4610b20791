using System.Diagnostics;
using System.Globalization;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.AutoJoining;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Testing.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.Benchmarks;

/// <summary>
/// <c>register</c>: what an account with its first session costs behind the endpoint: a password hash of one iteration, tokens, one statement. CPU of this
/// process. Needs ARMADA_TEST_PG.
/// </summary>
internal static class Registering
{
    private const int Rounds = 5, Accounts = 1000;

    public static async Task RunAsync()
    {
        var postgres = new PostgresFixture();
        await postgres.InitializeAsync();
        var config = new HomeserverConfig { ServerName = "test.example", Database = new DatabaseConfig { ConnectionString = "" }, PasswordHashIterations = 1 };
        var clock = TimeProvider.System;
        var registration = new Registration(
            new AccountStore(postgres.Database), new TokenIssuer(config, clock), new Silent(), new UsageGate(new UsageStore(postgres.Database), config, clock),
            // There are no rooms to join.
            new AutoJoins(null!, null!, null!, null!, config, NullLogger<AutoJoins>.Instance), config, clock);
        var hasher = new PasswordHasher(config);

        Console.WriteLine("| round | CPU an account, ms | elapsed, ms | allocated, KB |");
        Console.WriteLine("|---|---|---|---|");
        for (var round = 0; round <= Rounds; round++)
        {
            var (cpu, bytes, started) = (Process.GetCurrentProcess().TotalProcessorTime, GC.GetTotalAllocatedBytes(precise: true), clock.GetTimestamp());
            for (var i = 0; i < Accounts; i++)
            {
                var user = UserId.Of($"user{round}x{i}", config.ServerName);
                await registration.RegisterAsync(new RegistrationOrder(user, await hasher.HashAsync("secret", default)) { Device = (DeviceIds.New(), "Benchmark") }, default);
            }
            var spent = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMilliseconds / Accounts;
            var elapsed = clock.GetElapsedTime(started).TotalMilliseconds / Accounts;
            var allocated = (GC.GetTotalAllocatedBytes(precise: true) - bytes) / Accounts / 1024;
            // The first compiles and warms up.
            if (round > 0) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {round} | {spent:0.00} | {elapsed:0.00} | {allocated} |"));
        }
        await postgres.DisposeAsync();
    }

    private sealed class Silent : IStreamPublisher
    {
        public ValueTask PublishAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows, CancellationToken ct) => ValueTask.CompletedTask;
        public ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct) => throw new NotSupportedException();
    }
}
