using Matrix.ServiceDefaults.Edge;
using Microsoft.AspNetCore.Http;

namespace Matrix.Web.Auth;

/// <summary>Where a request comes from, as text; empty when unknown. Bound as a parameter of handlers.</summary>
public readonly record struct ClientAddress(string Text)
{
    public static ClientAddress Of(HttpContext context) =>
        new(context.Connection.RemoteIpAddress is { } address ? ForwardedClient.Text(address) : "");

    public static ValueTask<ClientAddress> BindAsync(HttpContext context) => new(Of(context));
}
