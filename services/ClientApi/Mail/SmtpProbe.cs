using System.Net.Sockets;
using System.Text;

namespace Matrix.ClientApi.Mail;

/// <summary>Whether a mail server offers STARTTLS. The framework's client either insists on it or never asks.</summary>
internal static class SmtpProbe
{
    private const int MaxLines = 100;

    public static async Task<bool> OffersTlsAsync(string host, int port, CancellationToken ct)
    {
        using var connection = new TcpClient();
        await connection.ConnectAsync(host, port, ct);
        await using var stream = connection.GetStream();
        using var reader = new StreamReader(stream, Encoding.ASCII);
        if (await LastLineAsync(reader, null, ct) is not ['2', ..]) return false;
        await stream.WriteAsync("EHLO localhost\r\n"u8.ToArray(), ct);
        var offered = false;
        await LastLineAsync(reader, line => offered |= line.AsSpan(Math.Min(4, line.Length)).Trim().Equals("STARTTLS", StringComparison.OrdinalIgnoreCase), ct);
        await stream.WriteAsync("QUIT\r\n"u8.ToArray(), ct);
        return offered;
    }

    /// <summary>An answer ends with the line that has no hyphen after its number.</summary>
    private static async Task<string> LastLineAsync(StreamReader reader, Action<string>? each, CancellationToken ct)
    {
        for (var i = 0; i < MaxLines; i++)
        {
            var line = await reader.ReadLineAsync(ct) ?? throw new IOException("The mail server closed the connection.");
            each?.Invoke(line);
            if (line.Length < 4 || line[3] != '-') return line;
        }
        throw new IOException("The answer of the mail server does not end.");
    }
}
