using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;

namespace Matrix.Testing.Specification;

/// <summary>Looks at what our server sends to somebody else whom a test plays. Disposing throws when a request was against the specification.</summary>
public sealed class SentRequests : IDisposable
{
    private readonly ConcurrentQueue<string> faults = new();

    /// <summary>Before everything else that the other server does.</summary>
    public void Watch(IApplicationBuilder app) => app.Use(next => async context =>
    {
        context.Request.EnableBuffering();
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        context.Request.Body.Position = 0;
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        foreach (var fault in Faults(context.Request.Method, new Uri("http://x" + target), context.Request.Headers.Authorization.ToString(), context.Request.ContentType, body.ToArray()))
            faults.Enqueue($"{context.Request.Method} {target}: {fault}");
        await next(context);
    });

    internal static IReadOnlyList<string> Faults(string method, Uri address, string authorization, string? contentType, byte[] body)
    {
        if (MatrixSpecification.Find(method, address.AbsolutePath) is not { } operation) return [];
        var findings = new SchemaFindings();
        if (operation.Auth == "federation" && !authorization.StartsWith("X-Matrix ", StringComparison.Ordinal)) findings.Fault("Authorization", "X-Matrix", default);
        var query = QueryHelpers.ParseQuery(address.Query);
        foreach (var parameter in operation.Query.Where(p => p.Required && !query.ContainsKey(p.Name))) findings.Fault("?" + parameter.Name, "to be there", default);
        if (operation.Body is not { } schema) return findings.Faults;
        if (contentType?.StartsWith("application/json", StringComparison.Ordinal) != true) findings.Fault("", $"content type application/json, not {contentType ?? "none"}", default);
        try
        {
            schema.Check(JsonDocument.Parse(body).RootElement, "", findings);
        }
        catch (JsonException e)
        {
            findings.Fault("", $"JSON ({e.Message})", default);
        }
        return findings.Faults;
    }

    public void Dispose()
    {
        if (!faults.IsEmpty) throw new InvalidOperationException("Sent against the specification:\n  " + string.Join("\n  ", faults.Distinct(StringComparer.Ordinal)));
    }
}
