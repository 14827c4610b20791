using System.Reflection;
using System.Text.RegularExpressions;
using Matrix.Storage;
using Matrix.Testing.Servers;
using Npgsql;

namespace Matrix.StorageTests;

/// <summary>Every SQL constant of Matrix.Storage means something on a fresh database: names exist, types fit, parameters can be told.</summary>
public partial class SqlTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task Every_statement_prepares()
    {
        await using var connection = await postgres.Source.OpenConnectionAsync();
        var faults = new List<string>();
        var all = Constants().ToList();
        // A constant that is part of another is a fragment; the whole is prepared.
        var constants = all.Where(c => !all.Any(o => o.Sql.Length > c.Sql.Length && o.Sql.Contains(c.Sql, StringComparison.Ordinal))).ToList();
        foreach (var (name, sql) in constants)
        {
            try
            {
                await RunAsync($"prepare probe as {sql}");
                await RunAsync("deallocate probe");
            }
            catch (PostgresException e)
            {
                faults.Add($"{name}: {e.MessageText} ({e.Detail ?? e.Hint ?? "position " + e.Position})");
            }
        }
        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
        Assert.True(constants.Count >= 20, $"only {constants.Count} constants were found");

        async Task RunAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Constants that begin as a statement does, whatever they and their classes are called. One statement each: several cannot be prepared.</summary>
    private static IEnumerable<(string Name, string Sql)> Constants() =>
        from type in typeof(Database).Assembly.GetTypes()
        from field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where field is { IsLiteral: true } && field.FieldType == typeof(string)
        let text = (string)field.GetRawConstantValue()!
        where Statement().IsMatch(text)
        orderby type.FullName, field.Name
        select ($"{type.Name}.{field.Name}", text);

    [GeneratedRegex(@"^\s*(--[^\n]*\n\s*)*(select\s|insert\s+into|update\s+\S+\s+(as\s+)?(\S+\s+)?set|delete\s+from|with\s+(recursive\s+)?\w+\s*(\(|as)|merge\s+into|values\s*\()", RegexOptions.IgnoreCase)]
    private static partial Regex Statement();
}
