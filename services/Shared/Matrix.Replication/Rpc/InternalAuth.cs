using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.Replication.Rpc;

/// <summary>Only those who know the fleet's secret reach an internal endpoint.</summary>
public static class InternalAuth
{
    private static readonly byte[] Refusal = """{"errcode":"M_FORBIDDEN","error":"The internal secret is missing or wrong."}"""u8.ToArray();

    /// <summary>For <c>/_internal/rpc</c> groups and endpoints of any kind: wraps the request delegate itself, so nothing of the endpoint runs before it.</summary>
    public static TBuilder RequireInternalSecret<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder
    {
        builder.Add(endpoint =>
        {
            var inner = endpoint.RequestDelegate ?? throw new InvalidOperationException($"{endpoint.DisplayName} has nothing to protect.");
            endpoint.RequestDelegate = context =>
                IsAuthorized(context.Request, context.RequestServices.GetRequiredService<InternalRpcOptions>().Secret) ? inner(context) : Refuse(context);
        });
        return builder;
    }

    /// <summary>An empty secret lets nobody in. Compares digests, in constant time: neither content nor length of the secret shows in the time taken.</summary>
    public static bool IsAuthorized(HttpRequest request, string secret)
    {
        if (request.Headers[InternalHeaders.Secret] is not [{ Length: > 0 } given]) return false;
        Span<byte> expectedHash = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> givenHash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(secret), expectedHash);
        SHA256.HashData(Encoding.UTF8.GetBytes(given), givenHash);
        return CryptographicOperations.FixedTimeEquals(expectedHash, givenHash);
    }

    private static Task Refuse(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        context.Response.ContentType = "application/json";
        return context.Response.Body.WriteAsync(Refusal, context.RequestAborted).AsTask();
    }
}
