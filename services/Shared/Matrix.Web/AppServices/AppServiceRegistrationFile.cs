using System.Text.RegularExpressions;
using Matrix.ServiceDefaults.Configuration;

namespace Matrix.Web.AppServices;

/// <summary>
/// Registration files in Synapse's format, from <c>app_service_config_files</c>. Everything that is wrong in any of them is found in one go.
/// </summary>
public static class AppServiceRegistrationFile
{
    /// <summary>Patterns come from an administrator, ids from anybody: none may take longer than its length deserves.</summary>
    private const RegexOptions PatternOptions = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;

    /// <summary>Reads all files. The registrations are whole only when there are no faults.</summary>
    public static (AppServiceRegistrations Registrations, IReadOnlyList<ConfigFault> Faults) Load(IReadOnlyList<string> paths, string serverName)
    {
        var faults = new List<ConfigFault>();
        var read = new List<(string Path, AppServiceRegistration Registration)>();
        foreach (var path in paths) if (LoadOne(path, serverName, faults) is { } registration) read.Add((path, registration));
        Compare(read, faults);
        return (new AppServiceRegistrations([.. read.Select(r => r.Registration)]), faults);
    }

    private static AppServiceRegistration? LoadOne(string path, string serverName, List<ConfigFault> faults)
    {
        try
        {
            return Parse(File.ReadAllText(path), path, serverName, faults);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            faults.Add(new("app_service_config_files", path, null, "cannot be read", $"check the name and the rights of the file ({e.Message})"));
            return null;
        }
    }

    /// <summary>Null when there are faults, which are added.</summary>
    /// <param name="source">Name of the file, for the faults.</param>
    public static AppServiceRegistration? Parse(string yaml, string source, string serverName, List<ConfigFault> faults)
    {
        var before = faults.Count;
        if (YamlFile.Parse(yaml, source, faults, []) is not { } root) return null;
        var file = new ConfigSection("", root, faults);
        var localpart = Required(file, "sender_localpart", "the name of the service's own user, such as _irc_bot");
        var namespaces = file.Section("namespaces");
        if (!namespaces.Exists) file.Fault("namespaces", "is missing", "namespaces: { users: [], aliases: [], rooms: [] }");
        var registration = new AppServiceRegistration(
            Required(file, "id", "a name that no other application service has"), Address(file), Required(file, "as_token", "a long random text"),
            Required(file, "hs_token", "another long random text"), $"@{localpart}:{serverName}", file.Boolean("rate_limited", true),
            file.Boolean("receive_ephemeral", false) || file.Boolean("push_ephemeral", false) || file.Boolean("de.sorunome.msc2409.push_ephemeral", false),
            file.Texts("protocols") ?? [], Namespaces(namespaces, "users"), Namespaces(namespaces, "aliases"), Namespaces(namespaces, "rooms"));
        return faults.Count == before ? registration : null;
    }

    private static string Required(ConfigSection file, string key, string what)
    {
        if (file.Text(key) is { Length: > 0 } text) return text;
        file.Fault(key, file.Has(key) ? "is empty" : "is missing", $"{key}: ...   ({what})");
        return "";
    }

    private static Uri? Address(ConfigSection file)
    {
        if (!file.Has("url"))
        {
            // Said as null on purpose: a service that only acts. Forgotten: a mistake.
            if (!file.Keys.Contains("url")) file.Fault("url", "is missing", "url: http://127.0.0.1:9000   (or  url: null  when nothing is to be sent to it)");
            return null;
        }
        if (file.Text("url") is not { Length: > 0 } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https") return url;
        file.Fault("url", "is not an address of http or https", "url: http://127.0.0.1:9000");
        return null;
    }

    private static List<AppServiceNamespace> Namespaces(ConfigSection namespaces, string kind)
    {
        var found = new List<AppServiceNamespace>();
        foreach (var entry in namespaces.Sections(kind) ?? [])
        {
            var text = entry.Text("regex");
            if (string.IsNullOrEmpty(text)) entry.Fault("regex", "is missing", "regex: '@_irc_.*'");
            else if (Compile(text, out var problem) is { } pattern) found.Add(new AppServiceNamespace(entry.Boolean("exclusive", false), pattern));
            else entry.Fault("regex", $"is not a regular expression that can be used: {problem}", "regex: '@_irc_.*'   (without look-around and back-references)");
            if (!entry.Has("exclusive")) entry.Fault("exclusive", "is missing", "exclusive: true   or   exclusive: false");
        }
        return found;
    }

    /// <summary>Synapse matches from the beginning of the id, and not to its end.</summary>
    private static Regex? Compile(string pattern, out string problem)
    {
        try
        {
            problem = "";
            return new Regex($@"\A(?:{pattern})", PatternOptions);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            problem = e.Message;
            return null;
        }
    }

    private static void Compare(List<(string Path, AppServiceRegistration Registration)> read, List<ConfigFault> faults)
    {
        foreach (var (key, value) in (ReadOnlySpan<(string, Func<AppServiceRegistration, string>)>)[("id", r => r.Id), ("as_token", r => r.AsToken)])
        {
            foreach (var group in read.GroupBy(r => value(r.Registration), StringComparer.Ordinal).Where(g => g.Count() > 1))
                faults.Add(new(key, key == "id" ? group.Key : "(hidden)", string.Join(" and ", group.Select(g => g.Path)),
                    "is used by more than one application service", $"give each its own {key}"));
        }
    }
}
