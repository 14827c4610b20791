using System.Xml.Linq;

namespace Matrix.Architecture;

/// <summary>The repository as files: where it is, its projects, their references.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Matrix.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("Matrix.sln was not found above the test.");
    }

    public sealed record Project(string Name, string Folder, IReadOnlyList<string> References, IReadOnlyList<string> Packages);

    public static IReadOnlyList<Project> Projects { get; } =
    [
        .. new[] { "services", "gateway", "ServiceDefaults", "AppHost" }
            .Select(f => Path.Combine(Root, f)).Where(Directory.Exists)
            .SelectMany(f => Directory.EnumerateFiles(f, "*.csproj", SearchOption.AllDirectories))
            .Where(f => !f.Contains("/bin/") && !f.Contains("/obj/"))
            .Select(Read),
    ];

    private static Project Read(string file)
    {
        var xml = XDocument.Load(file);
        return new Project(
            Path.GetFileNameWithoutExtension(file),
            Path.GetRelativePath(Root, Path.GetDirectoryName(file)!),
            [.. xml.Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')))],
            [.. xml.Descendants().Where(e => e.Name.LocalName is "PackageReference" or "PackageDownload" or "Reference").Select(r => r.Attribute("Include")!.Value)]);
    }

    /// <summary>Compares with a committed list; with ARMADA_UPDATE_GOLDEN=1 writes it instead.</summary>
    public static void MatchesGolden(string relativePath, IEnumerable<string> lines)
    {
        var file = Path.Combine(Root, relativePath);
        var actual = string.Join('\n', lines) + "\n";
        if (Environment.GetEnvironmentVariable("ARMADA_UPDATE_GOLDEN") == "1") File.WriteAllText(file, actual);
        Assert.True(File.Exists(file), $"{relativePath} is missing; ARMADA_UPDATE_GOLDEN=1 writes it.");
        var expected = File.ReadAllText(file);
        if (actual == expected) return;
        var before = expected.Split('\n').ToHashSet();
        var now = actual.Split('\n').ToHashSet();
        Assert.Fail($"{relativePath} differs (ARMADA_UPDATE_GOLDEN=1 rewrites it).\n" +
            string.Join('\n', before.Except(now).Select(l => "- " + l).Concat(now.Except(before).Select(l => "+ " + l))));
    }
}
