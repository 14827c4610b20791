using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Matrix.ServiceDefaults.Edge;

/// <summary>A small file that never changes while the process runs; null content means that it is not configured.</summary>
internal sealed record EdgeDocument(string ContentType, byte[]? Content, string? Csp = null);

/// <summary>Files that the edge serves by itself, by path.</summary>
internal sealed class EdgeDocuments(HomeserverConfig config)
{
    private const string Json = "application/json";

    private readonly EdgeDocument landing = LandingPage.Create(config);
    private readonly EdgeDocument client = new(Json, ClientWellKnown(config));
    private readonly EdgeDocument server = new(Json, ServerWellKnown(config));
    private readonly EdgeDocument support = new(Json, config.Listener.SupportWellKnownJson is { } json ? Encoding.UTF8.GetBytes(json) : null);
    private readonly EdgeDocument health = new("text/plain", "OK"u8.ToArray());

    /// <summary>Null when the path is none of the edge's.</summary>
    public EdgeDocument? Find(ReadOnlySpan<char> path) => path switch
    {
        "/" => landing,
        "/.well-known/matrix/client" => client,
        "/.well-known/matrix/server" => server,
        "/.well-known/matrix/support" => support,
        "/health" => health,
        _ => null,
    };

    // Spec: client-server-api/#getwell-knownmatrixclient
    private static byte[]? ClientWellKnown(HomeserverConfig config)
    {
        if (config.PublicBaseUrl is not { } baseUrl) return null;
        return Write(writer =>
        {
            writer.WriteStartObject("m.homeserver");
            writer.WriteString("base_url", baseUrl);
            writer.WriteEndObject();
            if (config.Listener.ExtraClientWellKnownJson is not { } extra) return;
            using var more = JsonDocument.Parse(extra);
            foreach (var member in more.RootElement.EnumerateObject())
                if (!member.NameEquals("m.homeserver")) member.WriteTo(writer);
        });
    }

    // Spec: server-server-api/#getwell-knownmatrixserver. Synapse: delegates to port 443 of the server name.
    private static byte[]? ServerWellKnown(HomeserverConfig config) =>
        config.Listener.ServeServerWellKnown ? Write(writer => writer.WriteString("m.server", $"{config.ServerName}:443")) : null;

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
