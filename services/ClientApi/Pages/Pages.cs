using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Pages;

/// <summary>Writes pages for people.</summary>
internal sealed class Pages(PageTemplates templates, HomeserverConfig config)
{
    public IResult Show(string name, IReadOnlyDictionary<string, object?> values, int status = 200) => Show(templates.Find(name), values, status);

    /// <summary>A page that is a file of the administrator, such as his policy.</summary>
    public IResult ShowFile(string path, IReadOnlyDictionary<string, object?> values) => Show(templates.Read(path), values, 200);

    private PageResult Show(PageTemplate page, IReadOnlyDictionary<string, object?> values, int status)
    {
        var all = new Dictionary<string, object?>(values, StringComparer.Ordinal) { ["server_name"] = config.ServerName };
        return new PageResult(page.Template.Render(all), page.ContentPolicy, status);
    }

    /// <summary>Synapse: the template sso_error.html has error and error_description.</summary>
    public IResult Error(int status, string code, string message) =>
        Show("sso_error.html", new Dictionary<string, object?> { ["error"] = code, ["error_description"] = message }, status);

    /// <summary>Runs the handler of a page; what goes wrong becomes a page, too.</summary>
    public async Task<IResult> GuardAsync(Func<Task<IResult>> handler)
    {
        try
        {
            return await handler();
        }
        catch (PageException e)
        {
            return Error(e.Status, e.Code, e.Message);
        }
        catch (MatrixException e)
        {
            return Error(e.Error.Status, e.Error.Code, e.Error.Message);
        }
    }
}
