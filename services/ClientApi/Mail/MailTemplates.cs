using System.Collections.Concurrent;
using System.Reflection;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Templating;

namespace Matrix.ClientApi.Mail;

/// <summary>
/// The mails by name, each as text and as HTML. A file of the same name in the administrator's folder comes before the built-in one; names and variables
/// are Synapse's: <c>link</c>, <c>app_name</c>, <c>server_name</c>.
/// </summary>
internal sealed class MailTemplates(HomeserverConfig config)
{
    private readonly ConcurrentDictionary<string, Template> templates = new(StringComparer.Ordinal);

    /// <param name="name">Without extension: <c>registration</c>.</param>
    /// <param name="more">Further variables.</param>
    /// <param name="subject">With <c>%(server_name)s</c> and <c>%(app)s</c>.</param>
    public MailMessageDraft Write(string name, string to, string subject, string? link, IReadOnlyDictionary<string, object?>? more = null)
    {
        var app = config.Accounts.Email?.AppName ?? "Matrix";
        var values = new Dictionary<string, object?>(StringComparer.Ordinal) { ["link"] = link, ["app_name"] = app, ["server_name"] = config.ServerName };
        foreach (var (key, value) in more ?? new Dictionary<string, object?>()) values[key] = value;
        var title = subject.Replace("%(server_name)s", config.ServerName, StringComparison.Ordinal).Replace("%(app)s", app, StringComparison.Ordinal);
        return new(to, title, Find(name + ".txt").Render(values, encode: false), Find(name + ".html").Render(values));
    }

    private Template Find(string name) =>
        templates.GetOrAdd(name, n => Template.Parse(Text(n) ?? throw new InvalidOperationException($"There is no mail {n}."), n, Text));

    private string? Text(string name)
    {
        if (name.AsSpan().IndexOfAny('/', '\\') >= 0) return null;
        if (config.Accounts.Email?.TemplateFolder is { } folder && Path.Combine(folder, name) is var file && File.Exists(file)) return File.ReadAllText(file);
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"mail/{name}");
        if (stream is null) return null;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
