using System.Net;
using System.Text;
using System.Text.Json;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary><c>listeners</c>, certificates and <c>.well-known</c>.</summary>
internal sealed partial class HomeserverConfigReader
{
    private ListenerConfig ReadListener(ConfigSection ours)
    {
        var certificate = root.Text("tls_certificate_path");
        var privateKey = root.Text("tls_private_key_path");
        var endpoints = new List<PublicEndpoint>();
        foreach (var section in root.Sections("listeners") ?? [])
        {
            if (ReadEndpoint(section) is { } endpoint)
            {
                endpoints.Add(endpoint);
            }
        }

        if (!root.Has("listeners"))
        {
            endpoints.AddRange(new ListenerConfig().Endpoints);
        }
        else if (endpoints.Count == 0)
        {
            root.Fault("listeners", "has no entry that serves clients",
                "listeners: [{ port: 8008, type: http, bind_addresses: ['127.0.0.1'], resources: [{ names: [client, federation] }] }]");
        }

        foreach (var twice in endpoints.GroupBy(e => e.Port).Where(g => g.Key != 0 && g.SelectMany(e => e.BindAddresses).Distinct().Count() < g.Sum(e => e.BindAddresses.Count)))
        {
            root.Fault("listeners", $"name port {twice.Key} twice on the same address", "give every listener a port of its own");
        }

        if (endpoints.Any(e => e.Tls))
        {
            CheckFile("tls_certificate_path", certificate, "certificate chain in PEM form");
            CheckFile("tls_private_key_path", privateKey, "private key in PEM form");
        }

        var plain = endpoints.FirstOrDefault(e => !e.Tls);
        var tls = endpoints.FirstOrDefault(e => e.Tls);
        var first = plain ?? tls;
        return new()
        {
            Port = first?.Port ?? 8008,
            BindAddresses = first?.BindAddresses ?? [],
            TlsCertificatePath = certificate is null ? null : FullPath(certificate),
            TlsPrivateKeyPath = privateKey is null ? null : FullPath(privateKey),
            TlsPort = tls?.Port,
            XForwarded = first?.XForwarded ?? false,
            ServeServerWellKnown = root.Boolean("serve_server_wellknown", false),
            ExtraClientWellKnownJson = ReadJsonObject(root, "extra_well_known_client_content"),
            SupportWellKnownJson = ReadJsonObject(ours, "well_known_support"),
            Endpoints = endpoints,
        };
    }

    /// <summary>Null for a listener that serves neither clients nor servers: metrics and replication have the internal port here.</summary>
    private PublicEndpoint? ReadEndpoint(ConfigSection section)
    {
        var type = section.Text("type") ?? "http";
        if (type is not ("http" or "metrics" or "manhole"))
        {
            section.Fault("type", "is no kind of listener", "type: http");
        }

        var port = section.WholeNumber("port", 8008, 0, 65535);
        if (!section.Has("port"))
        {
            section.Fault("port", "is missing", "port: 8008");
        }

        var resources = section.Sections("resources");
        var names = resources?.SelectMany(r => r.Texts("names") ?? []).ToList() ?? ["client", "federation"];
        var addresses = ReadAddresses(section);
        var tls = section.Boolean("tls", false);
        var forwarded = section.Boolean("x_forwarded", false);
        if (type != "http" || !names.Any(n => n is "client" or "federation" or "media" or "openid" or "keys"))
        {
            return null;
        }

        return new(port, addresses, tls, forwarded);
    }

    private static IReadOnlyList<string> ReadAddresses(ConfigSection section)
    {
        // Synapse: no address means every address.
        var addresses = section.Texts("bind_addresses") ?? section.Texts("bind_address") ?? ["::", "0.0.0.0"];
        foreach (var address in addresses)
        {
            if (address != "localhost" && address.Length > 0 && !IPAddress.TryParse(address, out _))
            {
                section.Fault("bind_addresses", $"contains {address}, which is no address of this machine", "bind_addresses: ['127.0.0.1']   or   ['::', '0.0.0.0']   for all");
            }
        }

        return addresses.Count == 0 ? ["::", "0.0.0.0"] : addresses;
    }

    private void CheckFile(string key, string? path, string what)
    {
        if (path is null)
        {
            root.Fault(key, "is missing, and a listener has  tls: true", $"{key}: /path/to/the {what}");
        }
        else if (!File.Exists(FullPath(path)))
        {
            root.Fault(key, $"names no file ({FullPath(path)})", $"{key}: /path/to/the {what}");
        }
    }

    private static string? ReadJsonObject(ConfigSection section, string key)
    {
        if (section.TakeWhole(key) is not { } content)
        {
            return null;
        }

        if (content.Kind != ConfigNodeKind.Mapping)
        {
            section.Fault(key, "is not a section", "write its keys on lines of their own, indented by two spaces");
            return null;
        }

        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            WriteJson(writer, content);
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static void WriteJson(Utf8JsonWriter writer, ConfigNode node)
    {
        switch (node.Kind)
        {
            case ConfigNodeKind.Mapping:
                writer.WriteStartObject();
                foreach (var (key, value) in node.Members)
                {
                    writer.WritePropertyName(key);
                    WriteJson(writer, value);
                }

                writer.WriteEndObject();
                break;
            case ConfigNodeKind.Sequence:
                writer.WriteStartArray();
                node.Items.ForEach(item => WriteJson(writer, item));
                writer.WriteEndArray();
                break;
            case ConfigNodeKind.Null:
                writer.WriteNullValue();
                break;
            case ConfigNodeKind.Scalar when !node.IsQuoted && Quantities.TryParseBoolean(node.Text!, out var boolean):
                writer.WriteBooleanValue(boolean);
                break;
            case ConfigNodeKind.Scalar when !node.IsQuoted && long.TryParse(node.Text, out var number):
                writer.WriteNumberValue(number);
                break;
            default:
                writer.WriteStringValue(node.Text);
                break;
        }
    }
}
