using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Myna.Cpu.Debugging;

namespace Myna.Control.Gdb;

/// <summary>Listens for gdb and serves one at a time; a connection stops the target.</summary>
public sealed class GdbServer : IDisposable
{
    readonly IDebugTarget _target;
    readonly Func<string, string> _monitor;
    readonly Func<Socket, Socket> _keep;
    readonly Socket _listener;
    readonly Thread _thread;
    readonly Lock _lock = new();
    volatile bool _stop;

    /// <param name="address">As <see cref="ListenAddress.Parse"/> reads it; port 0 takes any.</param>
    /// <param name="monitor">Executes a line of gdb's <c>monitor</c> command and returns its output.</param>
    /// <param name="keep">Puts a new socket where it is in nobody's way; what it answers is used instead.</param>
    /// <exception cref="FormatException">The address is none.</exception>
    /// <exception cref="IOException">The address cannot be had.</exception>
    public GdbServer(IDebugTarget target, string address, Func<string, string> monitor, Func<Socket, Socket>? keep = null)
    {
        _target = target;
        _monitor = monitor;
        _keep = keep ?? (static socket => socket);
        _listener = _keep(ListenAddress.Listen(ListenAddress.Parse(address)));
        _thread = new Thread(Run) { IsBackground = true, Name = "gdb" };
        _thread.Start();
        // The target's end is news for whoever is connected then.
        _target.Ended.ContinueWith(_ => Post(new GdbEvent(GdbEventKind.Ended)), TaskScheduler.Default);
    }

    /// <summary>Where it listens.</summary>
    public EndPoint Address => _listener.LocalEndPoint!;

    BlockingCollection<GdbEvent>? _events;

    void Post(GdbEvent e)
    {
        lock (_lock)
            _events?.Add(e);
    }

    void Run()
    {
        while (!_stop)
        {
            Socket client;
            try
            {
                client = _keep(_listener.Accept());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
            if (client.ProtocolType == ProtocolType.Tcp)
                client.NoDelay = true;
            Serve(client);
        }
    }

    void Serve(Socket client)
    {
        var events = new BlockingCollection<GdbEvent>();
        lock (_lock)
        {
            if (_stop || _target.Ended.IsCompleted)
            {
                client.Dispose();
                return;
            }
            _events = events;
        }
        using (var connection = new GdbConnection(client, events))
            new GdbSession(_target, connection, events, _monitor).Serve();
        lock (_lock)
        {
            _events = null;
        }
    }

    /// <summary>Closes the connection, if any, and stops listening.</summary>
    public void Dispose()
    {
        if (_stop)
            return;
        _stop = true;
        EndPoint address = Address;
        _listener.Dispose();
        // The target's end first, if that is why: its continuation may be late.
        if (_target.Ended.IsCompleted)
            Post(new GdbEvent(GdbEventKind.Ended));
        Post(new GdbEvent(GdbEventKind.Closed));
        _thread.Join(2000);
        if (address is UnixDomainSocketEndPoint)
            File.Delete(address.ToString()!);
    }
}
