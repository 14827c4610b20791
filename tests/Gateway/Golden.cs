using System.Runtime.CompilerServices;
using Xunit;

namespace Matrix.Gateway.Tests;

/// <summary>Compares with a committed file. ARMADA_UPDATE_GOLDEN=1 writes it anew, for review in the diff.</summary>
internal static class Golden
{
    public static void Check(string file, IEnumerable<string> lines, [CallerFilePath] string caller = "")
    {
        var text = string.Join('\n', lines) + "\n";
        if (Environment.GetEnvironmentVariable("ARMADA_UPDATE_GOLDEN") == "1")
        {
            var folder = Path.GetDirectoryName(caller)!;
            while (!Directory.Exists(Path.Combine(folder, "Golden"))) folder = Path.GetDirectoryName(folder)!;
            File.WriteAllText(Path.Combine(folder, "Golden", file), text);
            return;
        }
        Assert.Equal(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", file)), text);
    }
}
