using System.Net;

namespace Myna.Network.Udp;

/// <summary>The host's name servers (resolv.conf(5)), read again when the file changes.</summary>
internal sealed class Resolvers(string path = "/etc/resolv.conf")
{
    DateTime _read = DateTime.MinValue;
    IReadOnlyList<IPEndPoint> _servers = [];

    public IReadOnlyList<IPEndPoint> Current()
    {
        try
        {
            DateTime changed = File.GetLastWriteTimeUtc(path);
            if (changed != _read)
            {
                _servers = Parse(File.ReadLines(path));
                _read = changed;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _servers = [];
        }
        return _servers;
    }

    internal static IReadOnlyList<IPEndPoint> Parse(IEnumerable<string> lines)
    {
        var servers = new List<IPEndPoint>();
        foreach (string line in lines)
        {
            string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && words[0] == "nameserver" && IPAddress.TryParse(words[1], out IPAddress? address) && servers.Count < 3)
                servers.Add(new IPEndPoint(address, DnsProxy.Port));
        }
        // As the C library does without a name server line.
        if (servers.Count == 0)
            servers.Add(new IPEndPoint(IPAddress.Loopback, DnsProxy.Port));
        return servers;
    }
}
