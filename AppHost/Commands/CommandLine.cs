using Matrix.AppHost.Fleet;
using Matrix.ServiceDefaults.Configuration;

namespace Matrix.AppHost.Commands;

/// <summary>Words after ./run that do something else than running.</summary>
internal static class CommandLine
{
    /// <param name="describe">Says what a run consists of.</param>
    public static async Task<int> RunAsync(string[] args, Func<LocalRun, DistributedApplication> describe)
    {
        try
        {
            return args.FirstOrDefault() switch
            {
                "user" => await CreateUser.RunAsync(args[1..]),
                "key" => MakeKey(args[1..]),
                "check" => Check(args[1..]),
                _ when args.Any(a => a is "--help" or "-h" or "help") => Say(Help(), 0),
                _ => await StartAsync(args, describe),
            };
        }
        catch (RunFault fault)
        {
            Console.Error.WriteLine(fault.Message);
            return fault.ExitCode;
        }
    }

    private static async Task<int> StartAsync(string[] args, Func<LocalRun, DistributedApplication> describe)
    {
        await using var application = describe(LocalRun.Read(args));
        await application.RunAsync();
        return Environment.ExitCode;
    }

    private static int MakeKey(string[] args)
    {
        if (args is not [{ Length: > 0 } path])
        {
            return Say("./run key FILE", 2);
        }

        if (File.Exists(path))
        {
            Console.Error.WriteLine($"{path} is there already, and a server that loses its key loses its name.\n  fix  name another file, or move that one away first");
            return 1;
        }

        ConfigGenerator.WriteSecretFile(Path.GetFullPath(path), ConfigGenerator.NewSigningKey());
        return Say($"made the signing key {path}; keep a copy", 0);
    }

    private static int Check(string[] args)
    {
        var run = LocalRun.Read([.. args, "monolith"], checkServers: false);
        foreach (var warning in run.Warnings)
        {
            Console.WriteLine($"warning: {warning}");
        }

        if (run.Config.IgnoredKeys.Count > 0)
        {
            Console.WriteLine($"keys of Synapse without effect here: {string.Join(", ", run.Config.IgnoredKeys)}");
        }

        return Say($"{run.ConfigFile} is in order: server name {run.Config.ServerName}, {(run.HasDatabase ? "its own database" : "a database that ./run brings")}", 0);
    }

    private static string Help()
    {
        using var text = new StreamReader(typeof(CommandLine).Assembly.GetManifestResourceStream("help.txt")!);
        return text.ReadToEnd().TrimEnd();
    }

    private static int Say(string text, int code)
    {
        Console.WriteLine(text);
        return code;
    }
}
