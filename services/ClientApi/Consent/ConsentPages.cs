using Matrix.ClientApi.AutoJoining;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Consent;

/// <summary>
/// The policy as a page, with the form by which its reader agrees when a signed link brought him. Policies are files of the administrator
/// (<c>TEMPLATE_DIR/en/VERSION.html</c>), with Synapse's variables.
/// </summary>
internal sealed class ConsentPages(Pages.Pages pages, ConsentStore store, IStreamPublisher publisher, AutoJoins joins, HomeserverConfig config, TimeProvider clock)
{
    private const int MaxUser = 255;
    private const int MaxVersion = 64;
    private readonly ConsentConfig? settings = config.Accounts.Consent;

    private ConsentConfig Settings => settings ?? throw new PageException(404, "M_UNRECOGNIZED", "This server has no policy to agree to.");

    public async Task<IResult> ShowAsync(string? user, string? mac, string? version, CancellationToken ct)
    {
        var wanted = VersionOf(version);
        var values = new Dictionary<string, object?> { ["version"] = wanted, ["public_version"] = user is null, ["has_consented"] = false };
        if (user is null)
        {
            if (!Settings.AtRegistration) throw new PageException(400, "M_MISSING_PARAM", "The link is not complete: it does not say whose it is.");
            return Policy(wanted, values);
        }
        var id = Prove(user, mac);
        var (isKnown, agreed) = await store.FindAsync(id.Value, ct);
        if (!isKnown) throw NoUser();
        (values["user"], values["userhmac"], values["has_consented"]) = (user, mac, agreed == wanted);
        return Policy(wanted, values);
    }

    public async Task<IResult> AgreeAsync(string? user, string? mac, string? version, CancellationToken ct)
    {
        if (user is null || version is null) throw new PageException(400, "M_MISSING_PARAM", "The form is not complete. Open the link again.");
        var wanted = VersionOf(version);
        var id = Prove(user, mac);
        // Nobody agrees to what is not there to be read.
        if (!File.Exists(FileOf(wanted))) throw NoVersion();
        var batches = await store.SetAsync(id.Value, wanted, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        if (batches.Count == 0) throw NoUser();
        await publisher.PublishAllAsync(batches);
        await joins.RunAsync(id);
        var own = FileOf("success");
        var values = new Dictionary<string, object?>();
        return File.Exists(own) ? pages.ShowFile(own, values) : pages.Show("consent_success.html", values);
    }

    private IResult Policy(string version, Dictionary<string, object?> values) =>
        FileOf(version) is var file && File.Exists(file) ? pages.ShowFile(file, values) : throw NoVersion();

    private string FileOf(string name) => Path.Combine(Settings.TemplateFolder, "en", name + ".html");

    /// <summary>It becomes the name of a file.</summary>
    private string VersionOf(string? version)
    {
        var wanted = string.IsNullOrEmpty(version) ? Settings.Version : version;
        return wanted.Length <= MaxVersion && wanted[0] != '.' && wanted != "success" && wanted.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_') ? wanted : throw NoVersion();
    }

    /// <summary>The user whom the link was made for.</summary>
    private UserId Prove(string user, string? mac)
    {
        if (Settings.FormSecret is not { } secret || mac is null || user.Length > MaxUser || !ConsentRules.IsMacOf(user, mac, secret))
            throw new PageException(403, "M_FORBIDDEN", "This link was not made by this server, or not for this user.");
        var full = user.StartsWith('@') ? user : $"@{user}:{config.ServerName}";
        return UserId.TryParse(full, null, out var id) && id.Server == config.ServerName ? id : throw NoUser();
    }

    private static PageException NoUser() => new(404, "M_NOT_FOUND", "There is no such account here.");
    private static PageException NoVersion() => new(404, "M_NOT_FOUND", "There is no such version of the policy.");
}
