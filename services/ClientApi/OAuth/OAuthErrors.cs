using Matrix.Web.Json;

namespace Matrix.ClientApi.OAuth;

/// <summary>An error of the OAuth 2.0 API. RFC 6749 5.2: its own names, in a JSON object.</summary>
internal sealed class OAuthException(string code, string description, int status = 400) : Exception(description)
{
    public string Code { get; } = code;
    public int Status { get; } = status;
}

internal static class OAuthAnswers
{
    /// <summary>Runs the handler of an endpoint that programs call.</summary>
    public static async Task<IResult> GuardAsync(HttpResponse response, Func<Task<IResult>> handler)
    {
        // RFC 6749 5.1: tokens are kept by nobody in between.
        response.Headers.CacheControl = "no-store";
        response.Headers.Pragma = "no-cache";
        try
        {
            return await handler();
        }
        catch (OAuthException e)
        {
            return MatrixResults.Object(w =>
            {
                w.WriteString("error"u8, e.Code);
                w.WriteString("error_description"u8, e.Message);
            }, e.Status);
        }
    }
}
