using System.Text;
using System.Text.Json;
using Matrix.Gateway.Routing.Affinity;

namespace Matrix.Gateway.Routing;

/// <summary>Where a request goes, for administrators.</summary>
public sealed record RouteExplanation(string Class, string Service, string? Key)
{
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("class", Class);
            writer.WriteString("service", Service);
            writer.WriteString("key", Key);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}

public static class RouteExplainer
{
    /// <param name="url">A path, or a whole URL whose scheme and host do not matter. Taken as it stands, never normalised.</param>
    /// <param name="headers">Name and value; the first of a name counts.</param>
    public static RouteExplanation Explain(string method, string url, IReadOnlyCollection<KeyValuePair<string, string>> headers, RouteGroups groups, bool trustForwarded = false)
    {
        RawQuery.Split(url, out var path, out var query);
        var verb = MethodSets.Parse(method);
        // Preflight requests never leave the gateway.
        var route = verb == MethodSet.Options ? new RouteMatch(RouteClass.OwnAnswer, AffinityKind.None) : RouteTable.Default.Match(verb, path, query);
        var authorization = headers.FirstOrDefault(h => h.Key.Equals("Authorization", StringComparison.OrdinalIgnoreCase)).Value;
        var forwarded = trustForwarded ? headers.FirstOrDefault(h => h.Key.Equals("X-Forwarded-For", StringComparison.OrdinalIgnoreCase)).Value : null;
        var address = forwarded?.Split(',')[0].Trim() ?? "ip";
        var facts = new RequestFacts(path, query, authorization, address);
        return new(route.Class.Name, groups.Of(route.Class), AffinityKey.Text(route.Key, facts));
    }
}
