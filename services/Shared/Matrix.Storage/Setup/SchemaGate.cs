using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Matrix.Storage.Setup;

/// <summary>
/// Holds the start of a service until the migrator has brought the schema up to date. A database that is away is waited for; a schema that this
/// release cannot work with ends the start.
/// </summary>
internal sealed partial class SchemaGate(Database database, TimeProvider time, ILogger<SchemaGate> log) : IHostedService
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        string? said = null;
        while (await WhyWaitAsync(cancellationToken) is { } reason)
        {
            if (reason != said) LogWaiting(log, reason);
            said = reason;
            await Task.Delay(Period, time, cancellationToken);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<string?> WhyWaitAsync(CancellationToken ct)
    {
        try
        {
            await using var connection = await database.Source.OpenConnectionAsync(ct);
            var version = await Migrations.ReadVersionAsync(connection, ct);
            if (Migrations.FaultOf(version, Migrations.Latest) is { } fault) throw new DatabaseFaultException(fault);
            return version.Version >= Migrations.Latest
                ? null
                : $"the schema has version {version.Version}, this release needs {Migrations.Latest}: the migrator has to run";
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or IOException or TimeoutException)
        {
            return "the database cannot be reached: " + e.Message;
        }
    }

    [LoggerMessage(2010, LogLevel.Warning, "Waiting for the database: {Reason}")]
    private static partial void LogWaiting(ILogger log, string reason);
}
