using System.CommandLine;
using Matrix.Storage;
using Matrix.Storage.Setup;
using Npgsql;

namespace Matrix.Tools.Commands;

/// <summary>The checks that a service makes at its start, without starting one.</summary>
internal static class CheckCommand
{
    public static Command Create(ToolContext context)
    {
        var paths = ArmadaCommand.ConfigOption();
        var command = new Command("check", "Checks the database: encoding, locale, schema, counters and sequences. Prints the SQL that mends what is wrong.") { paths };
        command.SetAction((result, ct) => RunAsync(context, result.GetValue(paths), ct));
        return command;
    }

    private static async Task<int> RunAsync(ToolContext context, string[]? paths, CancellationToken ct)
    {
        if (ArmadaCommand.Load(context, paths) is not { } config) return ToolExit.Configuration;
        try
        {
            await using var source = DatabaseSetup.CreateDataSource(config.Database.ConnectionString, 0, 2, "armada-check");
            var faults = await DatabaseChecks.RunAsync(source, config.Database.AllowUnsafeLocale, ct);
            foreach (var fault in faults) await context.Out.WriteLineAsync((fault.IsWarning ? "warning: " : "fault: ") + fault);
            if (faults.Any(f => !f.IsWarning)) return ToolExit.Failed;
            await context.Out.WriteLineAsync("The database is in order.");
            return ToolExit.Ok;
        }
        catch (DatabaseFaultException e)
        {
            await context.Out.WriteLineAsync("fault: " + e.Fault);
            return ToolExit.Failed;
        }
        catch (NpgsqlException e)
        {
            await context.Error.WriteLineAsync($"The database cannot be reached: {e.Message}");
            return ToolExit.Unreachable;
        }
    }
}
