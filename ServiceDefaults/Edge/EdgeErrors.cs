using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Matrix.ServiceDefaults.Edge;

/// <summary>An answer of the edge itself, ready to be written. Spec: client-server-api/#standard-error-response</summary>
public sealed class EdgeError
{
    public static readonly EdgeError Unrecognized = new(404, "M_UNRECOGNIZED", "Unrecognized request");
    public static readonly EdgeError MethodNotAllowed = new(405, "M_UNRECOGNIZED", "Method not allowed");
    public static readonly EdgeError NotFound = new(404, "M_NOT_FOUND", "Not configured on this server");
    public static readonly EdgeError TooLarge = new(413, "M_TOO_LARGE", "Request too large");
    public static readonly EdgeError BadBody = new(400, "M_UNKNOWN", "The request body could not be read");
    public static readonly EdgeError NoInstance = new(503, "M_UNKNOWN", "This part of the server is not available at the moment. Try again in a few seconds.") { RetryAfterSeconds = 2 };
    public static readonly EdgeError InstanceFailed = new(502, "M_UNKNOWN", "The server was interrupted while it worked on the request.");

    private EdgeError(int status, string code, string message)
    {
        Status = status;
        Body = Encoding.UTF8.GetBytes($$"""{"errcode":"{{code}}","error":"{{message}}"}""");
    }

    public int Status { get; }
    public int? RetryAfterSeconds { get; private init; }
    internal byte[] Body { get; }
}

public static class EdgeErrors
{
    public static async Task WriteAsync(HttpContext context, EdgeError error)
    {
        var response = context.Response;
        response.StatusCode = error.Status;
        response.ContentType = "application/json";
        response.ContentLength = error.Body.Length;
        if (error.RetryAfterSeconds is { } seconds) response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        if (!HttpMethods.IsHead(context.Request.Method)) await response.Body.WriteAsync(error.Body, context.RequestAborted);
    }
}
