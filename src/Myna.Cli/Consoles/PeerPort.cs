using System.Net;
using System.Net.Sockets;
using Myna.Control;
using Myna.Hardware.Backends;
using Myna.Host;

namespace Myna.Cli.Consoles;

/// <summary>
/// The host's end of a serial port that somebody else talks to: a socket, or a pseudoterminal. What the guest writes while nobody is there,
/// or faster than the peer reads, is lost, as on a wire.
/// </summary>
internal sealed class PeerPort : ICharBackend, IDisposable
{
    private readonly Func<Stream?> _next;
    private readonly IDisposable _source;
    private readonly CharPort _port;
    private readonly CancellationTokenSource _ended = new();
    private volatile OutputPump? _output;
    private volatile Stream? _stream;

    /// <param name="next">Waits for the next peer; null when there will be none.</param>
    /// <param name="source">What it waits with; disposing it ends the wait.</param>
    private PeerPort(Func<Stream?> next, IDisposable source)
    {
        _next = next;
        _source = source;
        _port = new CharPort(bytes => _output?.Write(bytes));
        new Thread(Run) { IsBackground = true, Name = "serial port" }.Start();
    }

    /// <summary>A socket, to which this program connects, or on which it waits for one peer after the other.</summary>
    /// <exception cref="UserException">Nobody answers, or the address is taken.</exception>
    public static PeerPort Socket(EndPoint address, bool server)
    {
        try
        {
            if (server)
            {
                Socket listener = ListenAddress.Listen(address);
                return new PeerPort(() => new NetworkStream(listener.Accept(), ownsSocket: true), listener);
            }
            var socket = new Socket(address.AddressFamily, SocketType.Stream, address is UnixDomainSocketEndPoint ? ProtocolType.Unspecified : ProtocolType.Tcp);
            socket.Connect(address);
            bool used = false;
            return new PeerPort(() => used ? null : Once(socket, ref used), socket);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new UserException($"serial port: {(e is SocketException ? $"cannot connect to {address}: {e.Message}" : e.Message)}");
        }

        static Stream Once(Socket socket, ref bool used)
        {
            used = true;
            return new NetworkStream(socket, ownsSocket: true);
        }
    }

    /// <summary>A new pseudoterminal.</summary>
    /// <exception cref="UserException">The host has none.</exception>
    public static PeerPort Terminal(out string path)
    {
        try
        {
            var terminal = new PseudoTerminal();
            path = terminal.Path;
            bool used = false;
            return new PeerPort(() =>
            {
                if (used)
                    return null;
                used = true;
                return terminal.Stream;
            }, terminal);
        }
        catch (IOException e)
        {
            throw new UserException(e.Message);
        }
    }

    public void Attach(ICharFrontend frontend) => _port.Attach(frontend);
    public void Write(ReadOnlySpan<byte> bytes) => _port.Write(bytes);
    public void ReceiveReady() => _port.ReceiveReady();

    public void Dispose()
    {
        _ended.Cancel();
        _output?.Dispose();
        _source.Dispose();
        _stream?.Dispose();
    }

    private void Run()
    {
        byte[] buffer = new byte[4096];
        while (!_ended.IsCancellationRequested)
        {
            try
            {
                if (_next() is not { } stream)
                    return;
                _stream = stream;
                var output = new OutputPump(stream, "serial port output");
                output.Abandon();
                _output = output;
                for (int count; (count = stream.Read(buffer)) > 0;)
                    _port.Deliver(buffer.AsSpan(0, count), _ended.Token);
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                // The peer is gone, or this end is closed.
            }
            catch (OperationCanceledException)
            {
                return;
            }
            OutputPump? last = _output;
            _output = null;
            last?.Dispose();
            _stream?.Dispose();
        }
    }
}
