using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Myna.Control;

/// <summary>Where a control interface listens.</summary>
public static class ListenAddress
{
    /// <summary>
    /// Reads <c>[tcp:][HOST]:PORT</c> (host 127.0.0.1 unless given: whoever can connect owns the guest) or <c>unix:PATH</c>.
    /// </summary>
    /// <exception cref="FormatException">Says what would be right.</exception>
    public static EndPoint Parse(string text)
    {
        if (text.StartsWith("unix:", StringComparison.Ordinal) && text.Length is > 5 and < 108)
            return new UnixDomainSocketEndPoint(text[5..]);
        string rest = text.StartsWith("tcp:", StringComparison.Ordinal) ? text[4..] : text;
        int colon = rest.LastIndexOf(':');
        string host = colon > 0 ? rest[..colon].Trim('[', ']') : "127.0.0.1";
        if (host == "localhost")
            host = "127.0.0.1";
        if (ushort.TryParse(rest.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)
            && IPAddress.TryParse(host, out IPAddress? address))
            return new IPEndPoint(address, port);
        throw new FormatException($"'{text}' is not an address to listen on; use :PORT, IP:PORT or unix:PATH");
    }

    /// <summary>Opens a listening socket; a socket file that nobody listens on any more is replaced.</summary>
    /// <exception cref="IOException">Names the address and the reason.</exception>
    public static Socket Listen(EndPoint address)
    {
        bool unix = address is UnixDomainSocketEndPoint;
        var socket = new Socket(address.AddressFamily, SocketType.Stream, unix ? ProtocolType.Unspecified : ProtocolType.Tcp);
        try
        {
            // .NET sets SO_REUSEADDR by itself; its own ReuseAddress would let two programs share the port.
            if (unix)
                RemoveStale(address);
            socket.Bind(address);
            socket.Listen(4);
            return socket;
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new IOException($"cannot listen on {address}: {e.Message}; choose another address", e);
        }
    }

    static void RemoveStale(EndPoint address)
    {
        string path = address.ToString()!;
        // The system's own message would not say it.
        if (!Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
            throw new DirectoryNotFoundException("its folder does not exist");
        if (!File.Exists(path))
            return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(address);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
        }
    }
}
