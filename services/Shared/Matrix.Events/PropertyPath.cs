using System.Text;

namespace Matrix.Events;

/// <summary>Dot-separated property paths. Spec: appendices#dot-separated-property-paths</summary>
public static class PropertyPath
{
    /// <summary>The property names of a path: <c>content.m\.relates_to</c> is content, m.relates_to.</summary>
    public static string[] Split(string path)
    {
        var names = new List<string>();
        var name = new StringBuilder();
        for (var i = 0; i < path.Length; i++)
        {
            if (path[i] == '\\' && i + 1 < path.Length && path[i + 1] is '.' or '\\')
            {
                name.Append(path[++i]);
            }
            else if (path[i] == '.')
            {
                names.Add(name.ToString());
                name.Clear();
            }
            else
            {
                name.Append(path[i]);
            }
        }
        names.Add(name.ToString());
        return [.. names];
    }

    /// <summary>The path of property names.</summary>
    public static string Join(params ReadOnlySpan<string> names)
    {
        var path = new StringBuilder();
        foreach (var name in names)
        {
            if (path.Length > 0) path.Append('.');
            path.Append(name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(".", "\\.", StringComparison.Ordinal));
        }
        return path.ToString();
    }
}
