using System.Text.RegularExpressions;

namespace Matrix.ServiceTests.Specification;

/// <summary>A line of docs/routes.golden.</summary>
internal sealed partial record ServedRoute(string Method, string Path, string Service, string Operation, string Access)
{
    private readonly Regex shape = new("^" + Parameter().Replace(Regex.Escape(Path).Replace("}", @"\}", StringComparison.Ordinal), m => m.Value.Contains("\\*", StringComparison.Ordinal) ? ".*" : "[^/]*") + "/?$",
        RegexOptions.CultureInvariant);

    /// <summary>All that this release serves, from the golden list.</summary>
    public static IReadOnlyList<ServedRoute> All { get; } = [.. Read()];

    /// <summary>With something in the place of every parameter.</summary>
    public string Filled => Any().Replace(Path, "x");

    public bool Matches(string path) => shape.IsMatch(path);

    private static IEnumerable<ServedRoute> Read()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder.FullName, "docs", "routes.golden"))) folder = folder.Parent;
        foreach (var line in File.ReadLines(System.IO.Path.Combine(folder!.FullName, "docs", "routes.golden")))
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var method, var path, var service, var operation, var access])
                yield return new ServedRoute(method, path, service, operation, access);
    }

    [GeneratedRegex(@"\\\{[^}]*\\\}")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Any();
}
