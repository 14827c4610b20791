namespace Matrix.ClientApi.Pages;

/// <summary>Ends a request of a browser with a page that says why.</summary>
/// <param name="code">A word for the template, such as <c>unauthorised</c>.</param>
/// <param name="message">A sentence for the person before the browser.</param>
internal sealed class PageException(int status, string code, string message) : Exception(message)
{
    public int Status { get; } = status;
    public string Code { get; } = code;
}
