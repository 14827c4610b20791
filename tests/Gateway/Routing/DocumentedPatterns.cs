namespace Matrix.Gateway.Tests.Routing;

/// <summary>The two lists as the documentation has them.</summary>
internal static class DocumentedPatterns
{
    public static readonly IReadOnlyList<string> Of2022 = Read("regexes-2022.txt");
    public static readonly IReadOnlyList<string> Newest = Read("regexes-newest.txt");

    private static string[] Read(string file) =>
        [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Data", file)).Where(l => l.Length > 0 && l[0] != '#')];
}
