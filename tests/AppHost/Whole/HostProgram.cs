using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;

namespace Matrix.AppHostTests.Whole;

/// <summary>AppHost as ./run starts it, with data in a folder of its own.</summary>
internal sealed class HostProgram : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly TaskCompletionSource _up = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private HostProgram(Process process, string data, int port)
    {
        _process = process;
        Data = data;
        Port = port;
        process.OutputDataReceived += (_, line) => Note(line.Data);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        Http = new() { BaseAddress = new($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(60) };
    }

    public string Data { get; }
    public int Port { get; }
    public HttpClient Http { get; }
    public string Output => string.Join('\n', _lines);
    public int Pid => _process.Id;

    public static HostProgram Start(string data, params string[] words)
    {
        var port = FreePort();
        return Start(data, port, [.. words, "--data", data, "--port", port.ToString(CultureInfo.InvariantCulture)]);
    }

    public static HostProgram Start(string data, int port, string[] words)
    {
#if DEBUG
        const string Configuration = "Debug";
#else
        const string Configuration = "Release";
#endif
        var start = new ProcessStartInfo(Path.Combine(Tools.Root, "AppHost", "bin", Configuration, "net10.0", "AppHost"), words)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment["LocalHosting__DashboardPort"] = FreePort().ToString(CultureInfo.InvariantCulture);
        return new(Process.Start(start)!, data, port);
    }

    public async Task UpAsync()
    {
        var first = await Task.WhenAny(_up.Task, _process.WaitForExitAsync(), Task.Delay(Patience));
        Assert.True(first == _up.Task, $"not up:\n{Output}\n{Logs()}");
    }

    /// <summary>The line of the table that begins with <paramref name="name"/>.</summary>
    public Uri Address(string name) => new(_lines.Select(l => l.Trim()).First(l => l.StartsWith(name + " ", StringComparison.Ordinal) && l.Contains("http", StringComparison.Ordinal)
        && !l.Contains(" ready ", StringComparison.Ordinal))[name.Length..].Trim());

    public int PidOf(string name) => int.Parse(File.ReadAllText(Path.Combine(Data, "run", name + ".pid")), CultureInfo.InvariantCulture);

    public IReadOnlyDictionary<string, int> Pids() => Directory.GetFiles(Path.Combine(Data, "run"), "*.pid")
        .ToDictionary(f => Path.GetFileNameWithoutExtension(f), f => int.Parse(File.ReadAllText(f), CultureInfo.InvariantCulture));

    public static void Signal(int pid, string signal)
    {
        using var kill = Process.Start("kill", [signal, pid.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Patience);
        return _process.ExitCode;
    }

    public async Task<int> StopAsync()
    {
        Signal(Pid, "-INT");
        return await EndAsync();
    }

    /// <summary>A new account; the answer is its access token.</summary>
    public async Task<string> RegisterAsync(string name)
    {
        using var response = await Http.PostAsJsonAsync("/_matrix/client/v3/register", new { username = name, password = "secret", auth = new { type = "m.login.dummy" } });
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.True(response.IsSuccessStatusCode, json.RootElement.GetRawText());
        return json.RootElement.GetProperty("access_token").GetString()!;
    }

    public async Task<JsonElement> CallAsync(HttpMethod method, string path, string token, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = new("Bearer", token);
        request.Content = body is null ? null : JsonContent.Create(body);
        using var response = await Http.SendAsync(request);
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {json.RootElement.GetRawText()}");
        return json.RootElement.Clone();
    }

    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var begun = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(begun) < Patience, $"never: {what}");
            await Task.Delay(100);
        }
    }

    public static bool IsAlive(int pid) => File.Exists($"/proc/{pid}/stat") && !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);

    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await StopAsync();
        }

        Http.Dispose();
        _process.Dispose();
    }

    private string Logs() => string.Join('\n', (Directory.Exists(Path.Combine(Data, "logs")) ? Directory.GetFiles(Path.Combine(Data, "logs")) : [])
        .Select(f => $"--- {Path.GetFileName(f)}\n{string.Join('\n', File.ReadLines(f).TakeLast(10))}"));

    private void Note(string? line)
    {
        if (line is null)
        {
            return;
        }

        _lines.Enqueue(line);
        if (line.StartsWith("Ctrl-C stops everything", StringComparison.Ordinal))
        {
            _up.TrySetResult();
        }
    }
}
