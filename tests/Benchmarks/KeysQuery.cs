using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Matrix.ClientApi.Keys;
using Matrix.Crypto;
using Matrix.FederationClient;
using Matrix.FederationClient.DeviceKeys;
using Matrix.FederationClient.Outbound;
using Matrix.Storage.Keys;
using Matrix.Testing;
using Matrix.Testing.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.Benchmarks;

/// <summary>
/// <c>keys-query</c>: what <c>/keys/query</c> for 200 users of 4 devices costs, from the parsed request to the bytes of the answer: CPU of this process, and
/// what is allocated. Needs ARMADA_TEST_PG.
/// </summary>
internal static class KeysQuery
{
    private const int Users = 200, Devices = 4, Rounds = 5, Requests = 100;
    private const string Key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";

    public static async Task RunAsync()
    {
        var postgres = new PostgresFixture();
        await postgres.InitializeAsync();
        await FillAsync(postgres);
        var server = TestServer.Named("test.example");
        var identity = new ServerIdentity(server.Name, server.Key, Ed25519.Default);
        using var http = new FederationHttp(new FederationClientOptions(), identity, TimeProvider.System);
        var queries = new KeyQueries(new DeviceKeyStore(postgres.Database), new FederatedKeys(http, TimeProvider.System, NullLogger<FederatedKeys>.Instance), identity);
        using var request = JsonDocument.Parse("{\"device_keys\":{" + string.Join(',', Enumerable.Range(1, Users).Select(u => $"\"@user{u}:test.example\":[]")) + "}}");

        Console.WriteLine("| round | CPU a request, ms | allocated a request, KB | answer, KB |");
        Console.WriteLine("|---|---|---|---|");
        for (var round = 0; round <= Rounds; round++)
        {
            var (cpu, bytes) = (Process.GetCurrentProcess().TotalProcessorTime, GC.GetTotalAllocatedBytes(precise: true));
            var length = 0;
            for (var i = 0; i < Requests; i++)
            {
                using var answer = await queries.QueryAsync("@user1:test.example", request.RootElement, CancellationToken.None);
                length = answer.WrittenMemory.Length;
            }
            var spent = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMilliseconds / Requests;
            var allocated = (GC.GetTotalAllocatedBytes(precise: true) - bytes) / Requests / 1024;
            // The first compiles and warms up.
            if (round > 0) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {round} | {spent:0.00} | {allocated} | {length / 1024} |"));
        }
        await postgres.DisposeAsync();
    }

    /// <summary>Devices as clients make them, each signed by its user's self-signing key; the asking user has signed everybody's master key.</summary>
    private static async Task FillAsync(PostgresFixture postgres)
    {
        await using var command = postgres.Source.CreateCommand(
            """
            with d as (
                insert into devices (user_id, device_id, display_name, created_ts_ms)
                select '@user' || u || ':test.example', 'DEVICE' || d, 'Element X Android', 0 from generate_series(1, $1) u, generate_series(1, $2) d returning user_id, device_id),
            k as (
                insert into device_keys (user_id, device_id, keys, signed_hash)
                select user_id, device_id, convert_to(
                    '{"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],"device_id":"' || device_id || '","keys":{"curve25519:' || device_id || '":"' || $3
                    || '","ed25519:' || device_id || '":"' || $3 || '"},"signatures":{"' || user_id || '":{"ed25519:' || device_id || '":"' || $3 || $3 || '"}},"user_id":"' || user_id || '"}', 'UTF8'), ''
                from d),
            s as (insert into device_key_signatures (user_id, device_id, signer_key_id, signature, signed_hash) select user_id, device_id, 'ed25519:' || $3, $3 || $3, '' from d),
            c as (
                insert into cross_signing_keys (user_id, usage, public_key, keys)
                select '@user' || u || ':test.example', usage, $3, convert_to(
                    '{"keys":{"ed25519:' || $3 || '":"' || $3 || '"},"usage":["' || usage || '"],"user_id":"@user' || u || ':test.example"}', 'UTF8')
                from generate_series(1, $1) u, unnest(array['master', 'self_signing', 'user_signing']) usage)
            insert into master_key_signatures (signer_user_id, target_user_id, target_key, signer_key_id, signature)
            select '@user1:test.example', '@user' || u || ':test.example', $3, 'ed25519:' || $3, $3 || $3 from generate_series(1, $1) u
            """);
        foreach (var value in new object[] { Users, Devices, Key }) command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync();
    }
}
