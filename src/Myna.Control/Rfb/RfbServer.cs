using System.Net;
using System.Net.Sockets;
using Myna.Control.Screens;
using Myna.Machines;

namespace Myna.Control.Rfb;

/// <summary>What the user decides about the server.</summary>
/// <param name="Address">As <see cref="ListenAddress.Parse"/> reads it.</param>
/// <param name="Password">VNC authentication; its first eight bytes count. Null for none.</param>
/// <param name="Layout">The keyboard layout that the guest expects.</param>
public sealed record RfbOptions(string Address, string? Password = null, string Layout = "us");

/// <summary>A machine's screen, keyboard and pointer by the RFB protocol, version 3.8 (RFC 6143), for several clients at a time.</summary>
public sealed class RfbServer : IDisposable
{
    private const int MaximumClients = 16;

    private readonly Socket _listener;
    private readonly List<RfbConnection> _clients = [];
    private volatile bool _stop;

    /// <exception cref="FormatException">The address or the layout is none.</exception>
    /// <exception cref="IOException">The address cannot be had.</exception>
    public RfbServer(Machine machine, RfbOptions options)
    {
        Options = options;
        Layout = KeyboardLayout.Find(options.Layout);
        if (options.Password is { Length: 0 })
            throw new FormatException("the password for VNC is empty; leave it out or take one of up to 8 characters");
        _listener = ListenAddress.Listen(ListenAddress.Parse(options.Address));
        Hub = new ScreenHub(machine);
        new Thread(Accept) { IsBackground = true, Name = "vnc" }.Start();
    }

    public RfbOptions Options { get; }

    /// <summary>Where it listens.</summary>
    public EndPoint Address => _listener.LocalEndPoint!;

    internal ScreenHub Hub { get; }
    internal KeyboardLayout Layout { get; }

    /// <summary>What one client has copied becomes the others' clipboard.</summary>
    internal void Cut(RfbConnection from, byte[] text)
    {
        lock (_clients)
        {
            foreach (RfbConnection client in _clients)
            {
                if (client != from)
                    client.OfferCut(text);
            }
        }
    }

    /// <summary>A client that does not share the screen sends the others away (section 7.3.1).</summary>
    internal void Alone(RfbConnection client)
    {
        RfbConnection[] others;
        lock (_clients)
            others = [.. _clients.Where(c => c != client && c.Authenticated)];
        foreach (RfbConnection other in others)
            other.Close();
    }

    private void Accept()
    {
        while (!_stop)
        {
            Socket socket;
            try
            {
                socket = _listener.Accept();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
            RfbConnection client;
            lock (_clients)
            {
                if (_stop || _clients.Count == MaximumClients)
                {
                    socket.Dispose();
                    continue;
                }
                client = new RfbConnection(this, socket);
                _clients.Add(client);
            }
            new Thread(() => Serve(client)) { IsBackground = true, Name = "vnc client" }.Start();
        }
    }

    private void Serve(RfbConnection client)
    {
        try
        {
            client.Serve();
        }
        finally
        {
            lock (_clients)
                _clients.Remove(client);
        }
    }

    /// <summary>Closes every connection and stops listening.</summary>
    public void Dispose()
    {
        if (_stop)
            return;
        _stop = true;
        EndPoint address = Address;
        _listener.Dispose();
        RfbConnection[] clients;
        lock (_clients)
            clients = [.. _clients];
        foreach (RfbConnection client in clients)
            client.Close();
        Hub.Dispose();
        if (address is UnixDomainSocketEndPoint)
            File.Delete(address.ToString()!);
    }
}
