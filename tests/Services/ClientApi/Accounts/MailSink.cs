using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>A mail as it arrived.</summary>
public sealed record SunkMail(string To, string Source)
{
    /// <summary>The parts of one kind, decoded.</summary>
    public string Part(string contentType)
    {
        var match = Regex.Match(Source, $@"Content-Type: {Regex.Escape(contentType)}.*?\r\n\r\n(.*?)(\r\n\r\n|\r\n--)", RegexOptions.Singleline | RegexOptions.IgnoreCase);
        return Encoding.UTF8.GetString(Convert.FromBase64String(match.Groups[1].Value.Replace("\r\n", "")));
    }

    public Uri Link => new(Regex.Match(Part("text/plain"), @"http\S+").Value);
}

/// <summary>An SMTP server that takes everything and delivers nothing.</summary>
public sealed class MailSink : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<SunkMail> mails = new();
    private readonly SemaphoreSlim arrived = new(0);
    private readonly CancellationTokenSource stopping = new();
    private readonly Task accepting;

    public MailSink()
    {
        listener.Start();
        accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;
    public int Waiting => mails.Count;

    /// <summary>The next mail that has arrived.</summary>
    public async Task<SunkMail> NextAsync()
    {
        await arrived.WaitAsync();
        mails.TryDequeue(out var mail);
        return mail!;
    }

    private async Task AcceptAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                _ = TalkAsync(await listener.AcceptTcpClientAsync(stopping.Token));
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using var _ = client;
        await using var stream = client.GetStream();
        using var reader = new StreamReader(stream, Encoding.Latin1);
        async Task SayAsync(string text) => await stream.WriteAsync(Encoding.ASCII.GetBytes(text + "\r\n"));
        await SayAsync("220 sink");
        var to = "";
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("RCPT TO:", StringComparison.OrdinalIgnoreCase)) to = line[8..].Trim(' ', '<', '>');
            if (line.StartsWith("EHLO", StringComparison.OrdinalIgnoreCase)) { await SayAsync("250-sink\r\n250 8BITMIME"); continue; }
            if (line.Equals("QUIT", StringComparison.OrdinalIgnoreCase)) { await SayAsync("221 bye"); return; }
            if (!line.Equals("DATA", StringComparison.OrdinalIgnoreCase)) { await SayAsync("250 ok"); continue; }
            await SayAsync("354 go on");
            var text = new StringBuilder();
            while (await reader.ReadLineAsync() is { } row && row != ".") text.Append(row.StartsWith("..", StringComparison.Ordinal) ? row[1..] : row).Append("\r\n");
            mails.Enqueue(new SunkMail(to, text.ToString()));
            arrived.Release();
            await SayAsync("250 taken");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        listener.Stop();
        await accepting;
    }
}
