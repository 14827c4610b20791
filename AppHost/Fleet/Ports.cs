using System.Net;
using System.Net.Sockets;

namespace Matrix.AppHost.Fleet;

/// <summary>Ports of a local run: the same ones at every start as far as they are free, so that addresses in notes and browsers stay true.</summary>
internal sealed class Ports(int first)
{
    private readonly HashSet<int> _taken = [];

    public int Take(int? wished = null)
    {
        for (var port = wished ?? first; port < 65536; port++)
        {
            if (IsFree(port) && _taken.Add(port))
            {
                return port;
            }
        }

        throw new InvalidOperationException("No port is free.");
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
