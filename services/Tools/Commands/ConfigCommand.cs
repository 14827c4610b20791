using System.CommandLine;

namespace Matrix.Tools.Commands;

internal static class ConfigCommand
{
    public static Command Create(ToolContext context)
    {
        var paths = ArmadaCommand.ConfigOption();
        var check = new Command("check", "Reads the configuration and says everything that is wrong with it.") { paths };
        check.SetAction(result =>
        {
            if (ArmadaCommand.Load(context, result.GetValue(paths)) is not { } config) return ToolExit.Configuration;
            context.Out.WriteLine($"The configuration of {config.ServerName} can be used.");
            if (config.IgnoredKeys.Count > 0) context.Out.WriteLine("Keys of Synapse without effect here: " + string.Join(", ", config.IgnoredKeys));
            return ToolExit.Ok;
        });
        return new Command("config", "The configuration, homeserver.yaml.") { check };
    }
}
