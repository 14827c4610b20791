using System.Collections.Concurrent;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Templating;

namespace Matrix.ClientApi.Pages;

/// <summary>A page as a template, with the content policy that lets its own styles and scripts work and nothing else.</summary>
internal sealed record PageTemplate(Template Template, string ContentPolicy);

/// <summary>
/// The pages by name. Each can be replaced by a file of the same name in the administrator's folder; names and variables are Synapse's.
/// </summary>
internal sealed partial class PageTemplates(HomeserverConfig config)
{
    private const string Captcha = "https://www.recaptcha.net/recaptcha/api.js";
    private readonly ConcurrentDictionary<string, PageTemplate> pages = new(StringComparer.Ordinal);

    public PageTemplate Find(string name) => pages.GetOrAdd(name, Load);

    /// <summary>A file that may extend and include what stands beside it, and the pages by name.</summary>
    public PageTemplate Read(string path) => pages.GetOrAdd(path, file =>
    {
        var beside = Path.GetDirectoryName(file)!;
        string? Load(string name) => name.AsSpan().IndexOfAny('/', '\\') < 0 && Path.Combine(beside, name) is var own && File.Exists(own) ? File.ReadAllText(own) : Text(name);
        var template = Template.Parse(File.ReadAllText(file), file, Load);
        return new(template, PolicyOf(template, Load));
    });

    private PageTemplate Load(string name)
    {
        var template = Template.Parse(Text(name) ?? throw new InvalidOperationException($"There is no page {name}."), name, Text);
        return new(template, PolicyOf(template, Text));
    }

    private string? Text(string name)
    {
        if (name.AsSpan().IndexOfAny('/', '\\') >= 0) return null;
        if (config.Sso.TemplateFolder is { } folder && Path.Combine(folder, name) is var file && File.Exists(file)) return File.ReadAllText(file);
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"pages/{name}");
        if (stream is null) return null;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Hashes are taken of what the templates say, never of what values put into them: an injected script has none.</summary>
    private static string PolicyOf(Template template, Func<string, string?> load)
    {
        var styles = Hashes(template, Style(), load);
        var scripts = Hashes(template, Script(), load);
        // A captcha is somebody else's script in somebody else's frame.
        if (template.Sources.Any(s => s.Contains(Captcha, StringComparison.Ordinal)))
            return $"default-src 'none'; style-src 'unsafe-inline'; script-src https://www.recaptcha.net https://www.gstatic.com https://www.google.com; "
                + "frame-src https://www.recaptcha.net https://www.google.com; connect-src https://www.recaptcha.net; img-src 'self' https: data:; base-uri 'none'; frame-ancestors 'none'";
        return $"default-src 'none'; style-src {styles}; script-src {scripts}; img-src 'self' https: data:; base-uri 'none'; frame-ancestors 'none'";
    }

    /// <remarks>Synapse's templates include their styles and scripts.</remarks>
    private static string Hashes(Template template, Regex element, Func<string, string?> load)
    {
        string Included(Match m) => Template.Parse(load(m.Groups[1].Value) ?? "", m.Groups[1].Value, load).Render(new Dictionary<string, object?>());
        var hashes = template.Sources.SelectMany(s => element.Matches(s)).Select(m => Include().Replace(m.Groups[1].Value, Included)).Where(t => !t.Contains("{{", StringComparison.Ordinal))
            .Select(t => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(t.ReplaceLineEndings("\n"))))}'").Distinct().ToList();
        return hashes.Count == 0 ? "'none'" : string.Join(' ', hashes);
    }

    [GeneratedRegex("""\{%-?\s*include\s+["']([^"']+)["'][^%]*%\}""")]
    private static partial Regex Include();

    [GeneratedRegex("<style[^>]*>(.*?)</style>", RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex Style();

    [GeneratedRegex("<script[^>]*>(.*?)</script>", RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex Script();
}
