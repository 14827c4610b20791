using System.Net;
using System.Net.Sockets;

namespace Matrix.AppHost.Fleet;

/// <summary>
/// Ports of a local run: the same ones at every start as far as they are free, so that addresses in notes and browsers stay true, and others for
/// every data folder, so that two runs do not meet.
/// </summary>
internal sealed class Ports(string dataFolder)
{
    private const int PerRun = 40;
    private readonly HashSet<int> _taken = [];
    private readonly int _first = 18100 + (int)(Fnv1A(dataFolder) % 300) * PerRun;

    public int Take()
    {
        for (var port = _first; port < 65536; port++)
        {
            if (IsFree(port) && _taken.Add(port))
            {
                return port;
            }
        }

        throw new InvalidOperationException("No port is free.");
    }

    private static uint Fnv1A(string text)
    {
        var hash = 2166136261u;
        foreach (var c in text)
        {
            hash = (hash ^ c) * 16777619;
        }

        return hash;
    }

    public static bool IsFree(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
