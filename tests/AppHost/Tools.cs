namespace Matrix.AppHostTests;

internal static class Tools
{
    public static string Root { get; } = FindRoot();

    /// <summary>Null when the npm package is not unpacked.</summary>
    public static string? Dcp { get; } = Find("dcp/dcp");

    private static string? Find(string file)
    {
        var versions = Path.Combine(Root, "artifacts", "aspire", "package", "versions");
        return Directory.Exists(versions) ? Directory.GetDirectories(versions).Select(v => Path.Combine(v, file)).FirstOrDefault(File.Exists) : null;
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
        {
            folder = folder.Parent!;
        }

        return folder.FullName;
    }
}
