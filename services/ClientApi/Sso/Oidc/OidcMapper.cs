using System.Globalization;
using System.Text.Json;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Templating;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso.Oidc;

/// <summary><c>user_mapping_provider</c>: from the claims of a user to an account, by templates. Synapse: JinjaOidcMappingProvider.</summary>
internal sealed class OidcMapper(OidcConfig config)
{
    /// <summary>Signed addresses of pictures are long.</summary>
    private const int MaxAddress = 4096;
    private readonly Template subject = Template.Parse(config.Mapping.SubjectTemplate, "subject_template");
    private readonly Template? picture = Optional(config.Mapping.PictureTemplate, "picture_template");
    private readonly Template? localpart = Optional(config.Mapping.LocalpartTemplate, "localpart_template");
    private readonly Template? displayName = Optional(config.Mapping.DisplayNameTemplate, "display_name_template");
    private readonly Template? email = Optional(config.Mapping.EmailTemplate, "email_template");

    public SsoIdentity Map(JsonElement claims, string? session)
    {
        var values = new Dictionary<string, object?> { ["user"] = TemplateValue.FromJson(claims) };
        var id = subject.Render(values, encode: false).Trim();
        if (id.Length is 0 or > 1024) throw new ProviderException("the provider does not say who the user is (subject_template)");
        var name = Render(localpart, values) is { } given ? Localparts.HexEncode(given) : null;
        return new(new ExternalId(config.ProviderId, id))
        {
            // Synapse: a number is added to a name that is taken.
            Localpart = attempt => name is null ? null : attempt == 0 ? name : name + attempt.ToString(CultureInfo.InvariantCulture),
            ExistingLocalpart = config.AllowExistingUsers ? name : null,
            ConfirmLocalpart = config.Mapping.ConfirmLocalpart,
            DisplayName = Render(displayName, values),
            Emails = Render(email, values) is { } address ? [address] : [],
            Picture = Render(picture, values, MaxAddress),
            Session = session,
        };
    }

    private static string? Render(Template? template, Dictionary<string, object?> values, int longest = 1024) =>
        template?.Render(values, encode: false).Trim() is { Length: > 0 } text && text.Length <= longest ? text : null;

    private static Template? Optional(string? text, string name) => text is null ? null : Template.Parse(text, name);
}
