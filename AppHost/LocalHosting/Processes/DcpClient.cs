using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Aspire.Hosting.Processes;

/// <summary>The part of dcp's API that executables need. The API is internal to Aspire, so the version of dcp is pinned (docs/feeds.md).</summary>
internal sealed class DcpClient : IDisposable
{
    private const string Executables = "/apis/usvc-dev.developer.microsoft.com/v1/executables";
    private readonly HttpClient _http;

    private DcpClient(HttpClient http) => _http = http;

    /// <param name="kubeconfig">As dcp wrote it: address, certificate and token.</param>
    public static DcpClient Connect(string kubeconfig)
    {
        var authority = X509Certificate2.CreateFromPem(Encoding.ASCII.GetString(Convert.FromBase64String(Value(kubeconfig, "certificate-authority-data:"))));
        var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) => IsSignedBy(authority, certificate),
            },
            EnableMultipleHttp2Connections = true,
        };
        var http = new HttpClient(handler)
        {
            BaseAddress = new(Value(kubeconfig, "server:")),
            DefaultRequestVersion = HttpVersion.Version20,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Value(kubeconfig, "token:"));
        return new(http);
    }

    public async Task CreateAsync(string name, ProcessSpec spec, CancellationToken ct)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            writer.WriteString("apiVersion", "usvc-dev.developer.microsoft.com/v1");
            writer.WriteString("kind", "Executable");
            writer.WriteStartObject("metadata");
            writer.WriteString("name", name);
            writer.WriteEndObject();
            writer.WriteStartObject("spec");
            writer.WriteString("executablePath", spec.Path);
            writer.WriteString("workingDirectory", spec.WorkingDirectory);
            writer.WriteString("executionType", "Process");
            writer.WriteStartArray("args");
            foreach (var argument in spec.Arguments)
            {
                writer.WriteStringValue(argument);
            }

            writer.WriteEndArray();
            writer.WriteStartArray("env");
            foreach (var (key, value) in spec.Environment)
            {
                writer.WriteStartObject();
                writer.WriteString("name", key);
                writer.WriteString("value", value);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        using var response = await SendAsync(HttpMethod.Post, Executables, "application/json", bytes.ToArray(), ct);
        await EnsureAsync(response, ct);
    }

    /// <summary>State of one executable; null when it is gone.</summary>
    public async Task<DcpStatus?> GetAsync(string name, CancellationToken ct)
    {
        using var response = await SendAsync(HttpMethod.Get, $"{Executables}/{name}", null, null, ct);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        await EnsureAsync(response, ct);
        using var json = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(ct));
        return DcpStatus.Read(json.RootElement).Status;
    }

    /// <summary>Every change of every executable until cancelled or the connection ends.</summary>
    public async IAsyncEnumerable<(string Name, DcpStatus Status)> WatchAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{Executables}?watch=true") { Version = HttpVersion.Version20 };
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        await EnsureAsync(response, ct);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        while (await reader.ReadLineAsync(ct) is { } line)
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.TryGetProperty("object", out var executable))
            {
                yield return DcpStatus.Read(executable);
            }
        }
    }

    /// <summary>Lines of one output until the process has ended and all is read.</summary>
    public async IAsyncEnumerable<string> ReadLogAsync(
        string name, string source, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{Executables}/{name}/log?source={source}&follow=true") { Version = HttpVersion.Version20 };
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        await EnsureAsync(response, ct);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        while (await reader.ReadLineAsync(ct) is { } line)
        {
            yield return line;
        }
    }

    public async Task StopAsync(string name, CancellationToken ct)
    {
        using var response = await SendAsync(HttpMethod.Patch, $"{Executables}/{name}", "application/json-patch+json",
            """[{"op":"add","path":"/spec/stop","value":true}]"""u8.ToArray(), ct);
        if (response.StatusCode != HttpStatusCode.NotFound)
        {
            await EnsureAsync(response, ct);
        }
    }

    public async Task DeleteAsync(string name, CancellationToken ct)
    {
        using var response = await SendAsync(HttpMethod.Delete, $"{Executables}/{name}", null, null, ct);
    }

    /// <summary>dcp ends what is left and then itself.</summary>
    public async Task ShutDownAsync(CancellationToken ct)
    {
        using var response = await SendAsync(HttpMethod.Patch, "/admin/execution", "application/merge-patch+json",
            """{"status":"Stopping","shutdownResourceCleanup":"Full"}"""u8.ToArray(), ct);
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? mediaType, byte[]? body, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, path) { Version = HttpVersion.Version20 };
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(mediaType!);
        }

        return await _http.SendAsync(request, ct);
    }

    private static async Task EnsureAsync(HttpResponseMessage response, CancellationToken ct)
    {
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"dcp answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(ct)}");
        }
    }

    private static string Value(string yaml, string key)
    {
        var start = yaml.IndexOf(key, StringComparison.Ordinal) + key.Length;
        return yaml[start..yaml.IndexOf('\n', start)].Trim();
    }

    private static bool IsSignedBy(X509Certificate2 authority, X509Certificate? certificate)
    {
        if (certificate is null)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        using var leaf = new X509Certificate2(certificate);
        return chain.Build(leaf);
    }
}

/// <param name="State">Empty before dcp looked at it, then Starting, Running, Finished, FailedToStart, Terminated.</param>
internal sealed record DcpStatus(string State, int? Pid, int? ExitCode, string? Message)
{
    public bool IsOver => State is "Finished" or "FailedToStart" or "Terminated";

    public static (string Name, DcpStatus Status) Read(JsonElement executable)
    {
        var name = executable.GetProperty("metadata").GetProperty("name").GetString()!;
        if (!executable.TryGetProperty("status", out var status))
        {
            return (name, new("", null, null, null));
        }

        return (name, new(
            status.TryGetProperty("state", out var state) ? state.GetString() ?? "" : "",
            status.TryGetProperty("pid", out var pid) && pid.ValueKind == JsonValueKind.Number ? pid.GetInt32() : null,
            status.TryGetProperty("exitCode", out var code) && code.ValueKind == JsonValueKind.Number ? code.GetInt32() : null,
            status.TryGetProperty("message", out var message) ? message.GetString() : null));
    }
}
