using System.Data.Common;
using System.Globalization;
using System.Net.Sockets;

namespace Matrix.AppHost.Fleet;

/// <summary>Where a server listens, and whether anything answers there.</summary>
internal sealed record ServerAddress(string Host, int Port)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    /// <summary>Null for a Unix socket.</summary>
    public static ServerAddress? OfPostgres(string connectionString)
    {
        var parts = new DbConnectionStringBuilder { ConnectionString = connectionString };
        var host = (Value("Host") ?? Value("Server") ?? "localhost").Split(',')[0];
        return host.StartsWith('/') ? null : new(host, int.TryParse(Value("Port"), NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : 5432);

        string? Value(string key) => parts.TryGetValue(key, out var value) ? value.ToString() : null;
    }

    public static ServerAddress? OfRedis(string connectionString)
    {
        var address = connectionString.Split(',')[0];
        var colon = address.LastIndexOf(':');
        return colon > 0 && int.TryParse(address[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            ? new(address[..colon], port)
            : new(address, 6379);
    }

    public bool Answers(out string reason)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            socket.ConnectAsync(Host, Port, limit.Token).AsTask().GetAwaiter().GetResult();
            reason = "";
            return true;
        }
        catch (SocketException e)
        {
            reason = e.Message;
            return false;
        }
        catch (OperationCanceledException)
        {
            reason = "no answer within 5 s";
            return false;
        }
    }
}
