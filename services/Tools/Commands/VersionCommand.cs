using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Matrix.Tools.Commands;

internal static class VersionCommand
{
    public static Command Create(ToolContext context)
    {
        var command = new Command("version", "Says which release this is.");
        command.SetAction(_ =>
        {
            var version = typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
            context.Out.WriteLine($"Armada {version} on {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}");
            return ToolExit.Ok;
        });
        return command;
    }
}
