namespace Matrix.AppHost.Fleet;

internal static class Repository
{
    /// <summary>The folder that holds Matrix.sln.</summary>
    public static string Root { get; } = Find();

    /// <summary>Where ./run puts what it downloads.</summary>
    public static string Artifacts => Path.Combine(Root, "artifacts");

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
            {
                return folder.FullName;
            }
        }

        return Environment.CurrentDirectory;
    }
}
