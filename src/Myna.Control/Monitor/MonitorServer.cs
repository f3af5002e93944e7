using System.Net;
using System.Net.Sockets;
using System.Text;
using Myna.Machines;

namespace Myna.Control.Monitor;

/// <summary>A monitor prompt on a socket, for several users at a time.</summary>
public sealed class MonitorServer : IDisposable
{
    public const string Prompt = "(myna) ";
    const int MaximumClients = 16;

    readonly Machine _machine;
    readonly Socket _listener;
    readonly List<Socket> _clients = [];
    volatile bool _stop;

    /// <param name="address">As <see cref="ListenAddress.Parse"/> reads it.</param>
    /// <exception cref="FormatException">The address is none.</exception>
    /// <exception cref="IOException">The address cannot be had.</exception>
    public MonitorServer(Machine machine, string address)
    {
        _machine = machine;
        _listener = ListenAddress.Listen(ListenAddress.Parse(address));
        new Thread(Accept) { IsBackground = true, Name = "monitor" }.Start();
    }

    /// <summary>Where it listens.</summary>
    public EndPoint Address => _listener.LocalEndPoint!;

    /// <summary>Reads commands and writes what they say until the input or the machine ends.</summary>
    public static void Serve(Machine machine, TextReader input, TextWriter output)
    {
        var monitor = new MachineMonitor(machine);
        output.Write(Prompt);
        output.Flush();
        while (input.ReadLine() is { } line)
        {
            output.Write(monitor.Execute(line));
            if (machine.Ended.IsCompleted)
                break;
            output.Write(Prompt);
            output.Flush();
        }
        output.Flush();
    }

    void Accept()
    {
        while (!_stop)
        {
            Socket client;
            try
            {
                client = _listener.Accept();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
            lock (_clients)
            {
                if (_stop || _clients.Count == MaximumClients)
                {
                    client.Dispose();
                    continue;
                }
                _clients.Add(client);
            }
            new Thread(() => Serve(client)) { IsBackground = true, Name = "monitor client" }.Start();
        }
    }

    void Serve(Socket client)
    {
        try
        {
            using var stream = new NetworkStream(client, ownsSocket: true);
            using var reader = new StreamReader(stream, new UTF8Encoding(false));
            using var writer = new StreamWriter(stream, new UTF8Encoding(false));
            Serve(_machine, reader, writer);
        }
        catch (IOException)
        {
            // The user is gone.
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
        lock (_clients)
        {
            foreach (Socket client in _clients)
                client.Dispose();
        }
        if (address is UnixDomainSocketEndPoint)
            File.Delete(address.ToString()!);
    }
}
