using System.Text;

namespace Matrix.ClientApi.Pages;

/// <summary>An HTML page. Nobody may frame it, keep it, or learn from it where the browser came from.</summary>
internal sealed class PageResult(string html, string contentPolicy, int status) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        var body = Encoding.UTF8.GetBytes(html);
        response.StatusCode = status;
        response.ContentType = "text/html; charset=utf-8";
        response.ContentLength = body.Length;
        response.Headers.ContentSecurityPolicy = contentPolicy;
        ApplyTo(response);
        await response.Body.WriteAsync(body, httpContext.RequestAborted);
    }

    /// <summary>What holds for every answer to a browser, redirects included.</summary>
    public static void ApplyTo(HttpResponse response)
    {
        response.Headers.XFrameOptions = "DENY";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.CacheControl = "no-store";
        // Not no-referrer: browsers then hide the origin of forms from ourselves as well.
        response.Headers["Referrer-Policy"] = "same-origin";
    }
}

/// <summary>To another page, by GET whatever the browser did before.</summary>
internal sealed class SeeOther(string location) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
        httpContext.Response.Headers.Location = location;
        PageResult.ApplyTo(httpContext.Response);
        return Task.CompletedTask;
    }
}

/// <summary>As browsers have always been sent to a provider or a client.</summary>
internal sealed class Found(string location) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = StatusCodes.Status302Found;
        httpContext.Response.Headers.Location = location;
        PageResult.ApplyTo(httpContext.Response);
        return Task.CompletedTask;
    }
}
