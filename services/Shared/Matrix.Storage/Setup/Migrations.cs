using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Npgsql;

namespace Matrix.Storage.Setup;

/// <param name="OldestCompatible">Releases that know at least this version can work with the schema after this file.</param>
public sealed record Migration(int Version, string Name, int OldestCompatible, string Sql);

/// <param name="Version">0: no schema.</param>
public sealed record SchemaVersion(int Version, int OldestCompatible);

/// <summary>
/// The schema, as numbered SQL files embedded here. Each is applied once, in a transaction of its own that also notes it in <c>schema_version</c>;
/// processes that migrate at the same time take turns. A file that older releases cannot work with says so by leaving out the line
/// <c>-- oldest compatible version: N</c>.
/// </summary>
public static partial class Migrations
{
    private const long LockKey = 0x61726d616461; // "armada"
    private const string SqlLock = "select pg_advisory_xact_lock($1)";
    private const string SqlExists = "select to_regclass('schema_version') is not null";
    private const string SqlNote =
        "insert into schema_version (version, applied_ts_ms, oldest_compatible_version) values ($1, (extract(epoch from clock_timestamp()) * 1000)::bigint, $2)";
    // Created by the runner itself, before the first file.
    private const string CreateTable =
        """
        create table schema_version (
            version int primary key,
            applied_ts_ms bigint not null,
            oldest_compatible_version int not null  -- of releases, by the newest version that they know
        )
        """;

    public static IReadOnlyList<Migration> All { get; } = Load();

    /// <summary>The schema that this release was written for.</summary>
    public static int Latest => All[^1].Version;

    /// <summary>Applies what is missing and returns it, oldest first. Safe to run concurrently. Throws <see cref="DatabaseFaultException"/> for a schema
    /// that is newer than this release and not compatible with it.</summary>
    public static Task<IReadOnlyList<Migration>> ApplyAsync(NpgsqlDataSource source, CancellationToken ct) => ApplyAsync(source, All, ct);

    internal static async Task<IReadOnlyList<Migration>> ApplyAsync(NpgsqlDataSource source, IReadOnlyList<Migration> migrations, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        var applied = new List<Migration>();
        while (await ApplyNextAsync(connection, migrations, ct) is { } migration) applied.Add(migration);
        return applied;
    }

    /// <summary>Null: the schema is up to date.</summary>
    private static async Task<Migration?> ApplyNextAsync(NpgsqlConnection connection, IReadOnlyList<Migration> migrations, CancellationToken ct)
    {
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var turn = new NpgsqlCommand(SqlLock, connection, transaction) { Parameters = { new() { Value = LockKey } }, CommandTimeout = 0 })
            await turn.ExecuteNonQueryAsync(ct);
        var current = await ReadVersionAsync(connection, ct);
        if (FaultOf(current, migrations[^1].Version) is { IsWarning: false } fault) throw new DatabaseFaultException(fault);
        var done = current.Version == 0 ? [] : await ReadAppliedAsync(connection, ct);
        if (migrations.FirstOrDefault(m => !done.Contains(m.Version)) is not { } next) return null;
        if (current.Version == 0)
        {
            await using var create = new NpgsqlCommand(CreateTable, connection, transaction);
            await create.ExecuteNonQueryAsync(ct);
        }
        await using (var apply = new NpgsqlCommand(next.Sql, connection, transaction) { CommandTimeout = 0 })
            await apply.ExecuteNonQueryAsync(ct);
        await using (var note = new NpgsqlCommand(SqlNote, connection, transaction))
        {
            note.Parameters.Add(new() { Value = next.Version });
            note.Parameters.Add(new() { Value = next.OldestCompatible });
            await note.ExecuteNonQueryAsync(ct);
        }
        await transaction.CommitAsync(ct);
        return next;
    }

    /// <summary>Numbers need not be without gaps: a file with a lower number may arrive later, from another branch.</summary>
    private static async Task<HashSet<int>> ReadAppliedAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var read = new NpgsqlCommand(SetupSql.ReadApplied, connection);
        await using var reader = await read.ExecuteReaderAsync(ct);
        var applied = new HashSet<int>();
        while (await reader.ReadAsync(ct)) applied.Add(reader.GetInt32(0));
        return applied;
    }

    public static async Task<SchemaVersion> ReadVersionAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using (var exists = new NpgsqlCommand(SqlExists, connection))
        {
            if (await exists.ExecuteScalarAsync(ct) is not true) return new SchemaVersion(0, 0);
        }
        await using var read = new NpgsqlCommand(SetupSql.ReadVersion, connection);
        await using var reader = await read.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? new SchemaVersion(reader.GetInt32(0), reader.GetInt32(1)) : new SchemaVersion(0, 0);
    }

    /// <summary>Null: this release can work with that schema, or bring it up to date.</summary>
    internal static DatabaseFault? FaultOf(SchemaVersion found, int latest) =>
        found.Version <= latest || found.OldestCompatible <= latest
            ? null
            : new DatabaseFault(
                $"The database has schema version {found.Version}, this release knows versions up to {latest} and the schema needs at least {found.OldestCompatible}.",
                "Start the newer release again, or restore a backup from before it ran.");

    private static List<Migration> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var migrations = new List<Migration>();
        foreach (var resource in assembly.GetManifestResourceNames())
        {
            if (FileName().Match(resource) is not { Success: true } name) continue;
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            var sql = reader.ReadToEnd();
            var version = int.Parse(name.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
            var compatible = Compatible().Match(sql);
            migrations.Add(new Migration(
                version, name.Groups[2].Value, compatible.Success ? int.Parse(compatible.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : version, sql));
        }
        migrations.Sort((a, b) => a.Version.CompareTo(b.Version));
        if (migrations.Select(m => m.Version).Distinct().Count() != migrations.Count)
            throw new InvalidOperationException("Two migrations have the same number.");
        return migrations;
    }

    [GeneratedRegex(@"Migrations\.(\d{4})_(\w+)\.sql$")]
    private static partial Regex FileName();
    [GeneratedRegex(@"^-- oldest compatible version: (\d+)\s*$", RegexOptions.Multiline)]
    private static partial Regex Compatible();
}
