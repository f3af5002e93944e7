using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Myna.Network.Wire;

namespace Myna.Network.Tftp;

internal enum TftpOpcode : ushort { ReadRequest = 1, WriteRequest, Data, Acknowledgment, Error, OptionAcknowledgment }

internal enum TftpError : ushort { NotDefined, FileNotFound, AccessViolation, DiskFull, IllegalOperation, UnknownTransfer, FileExists, NoSuchUser, OptionsRefused }

/// <summary>
/// Serves the files of a directory at the gateway's port 69, for reading only (RFC 1350), with the options blksize, tsize, timeout and windowsize
/// (RFC 2347 to 2349, RFC 7440).
/// </summary>
/// <remarks>DEVIATION: the transfer's server port is 69 too (RFC 1350, section 4, takes another), so that no port of the host's is hidden. Text
/// (netascii) is sent as it is.</remarks>
internal sealed class TftpServer(NetworkStack stack, string directory) : IDisposable
{
    public const ushort Port = 69;

    private const int MaximumTransfers = 32, MaximumName = 255, MaximumWindow = 64;
    private const int SmallestBlock = 8, DefaultBlock = 512, BlockOverhead = Ipv4Packet.HeaderSize + UdpDatagram.HeaderSize + 4;

    private readonly Dictionary<Ipv4Endpoint, TftpTransfer> _transfers = [];
    private readonly string _directory = Path.GetFullPath(directory);

    /// <summary>Transfers under way.</summary>
    public int Count => _transfers.Count;

    public NetworkStack Stack => stack;

    /// <summary>A datagram to the server's port; anything may stand in it.</summary>
    public void Receive(Ipv4Endpoint client, ReadOnlySpan<byte> message)
    {
        if (message.Length < 4)
        {
            stack.Counters.Malformed++;
            return;
        }
        switch ((TftpOpcode)BinaryPrimitives.ReadUInt16BigEndian(message))
        {
            case TftpOpcode.ReadRequest:
                ReadRequest(client, message[2..]);
                break;
            case TftpOpcode.WriteRequest:
                SendError(client, TftpError.AccessViolation, "files can be read only");
                break;
            case TftpOpcode.Acknowledgment when _transfers.TryGetValue(client, out TftpTransfer? transfer):
                transfer.Acknowledge(BinaryPrimitives.ReadUInt16BigEndian(message[2..]));
                break;
            case TftpOpcode.Acknowledgment or TftpOpcode.Data:
                SendError(client, TftpError.UnknownTransfer, "no such transfer");
                break;
            case TftpOpcode.Error:
                // Section 7: it ends the transfer, and is not answered.
                if (_transfers.TryGetValue(client, out TftpTransfer? ended))
                    ended.Close();
                break;
            default:
                SendError(client, TftpError.IllegalOperation, "unknown operation");
                break;
        }
    }

    public void Remove(TftpTransfer transfer) => _transfers.Remove(transfer.Client);

    /// <summary>Sends what stands behind the UDP header in the stack's payload buffer.</summary>
    public void Send(Ipv4Endpoint client, int length)
    {
        UdpDatagram.WriteHeader(stack.PayloadBuffer[..(UdpDatagram.HeaderSize + length)], new(stack.Options.Gateway, Port), client);
        stack.SendIp(stack.Options.Gateway, client.Address, IpProtocol.Udp, UdpDatagram.HeaderSize + length);
    }

    public void SendError(Ipv4Endpoint client, TftpError error, string text)
    {
        Span<byte> b = stack.PayloadBuffer[UdpDatagram.HeaderSize..];
        BinaryPrimitives.WriteUInt16BigEndian(b, (ushort)TftpOpcode.Error);
        BinaryPrimitives.WriteUInt16BigEndian(b[2..], (ushort)error);
        int length = Encoding.ASCII.GetBytes(text, b[4..]);
        b[4 + length] = 0;
        Send(client, 5 + length);
    }

    public void Dispose()
    {
        foreach (TftpTransfer transfer in _transfers.Values.ToArray())
            transfer.Close();
    }

    private void ReadRequest(Ipv4Endpoint client, ReadOnlySpan<byte> text)
    {
        // A repeated request begins anew: the answer to the first was lost.
        if (_transfers.TryGetValue(client, out TftpTransfer? earlier))
            earlier.Close();
        if (!TakeWord(ref text, out string name) || !TakeWord(ref text, out string mode))
        {
            SendError(client, TftpError.IllegalOperation, "a request without name or mode");
            return;
        }
        if (!mode.Equals("octet", StringComparison.OrdinalIgnoreCase) && !mode.Equals("netascii", StringComparison.OrdinalIgnoreCase))
        {
            SendError(client, TftpError.IllegalOperation, "unknown mode");
            return;
        }
        Stream file;
        try
        {
            if (PathOf(name) is not { } path)
            {
                SendError(client, TftpError.AccessViolation, "not below the directory");
                return;
            }
            // What has no length is not opened: a pipe would hold up the network.
            file = new FileInfo(path).Length == 0 ? Stream.Null : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 64 << 10);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            SendError(client, e is UnauthorizedAccessException ? TftpError.AccessViolation : TftpError.FileNotFound, "file not found");
            return;
        }
        if (_transfers.Count >= MaximumTransfers)
        {
            stack.Counters.LimitHits++;
            _transfers.Values.MinBy(t => t.Deadline)!.Close();
        }
        stack.Counters.TftpTransfers++;
        var transfer = new TftpTransfer(this, client, file);
        _transfers.Add(client, transfer);
        transfer.Start(Options(transfer, text));
    }

    /// <summary>Settles the options that the client asks for; unknown ones are passed over (RFC 2347).</summary>
    /// <returns>The acknowledged ones, as they are sent.</returns>
    private byte[] Options(TftpTransfer transfer, ReadOnlySpan<byte> text)
    {
        var accepted = new StringBuilder();
        var seen = new HashSet<string>();
        while (TakeWord(ref text, out string option) && TakeWord(ref text, out string value))
        {
            option = option.ToLowerInvariant();
            if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number) || !seen.Add(option))
                continue;
            long? answer = null;
            switch (option)
            {
                case "blksize" when number >= SmallestBlock:
                    // No larger than what goes into one packet.
                    answer = transfer.BlockSize = (int)Math.Min(number, stack.Options.Mtu - BlockOverhead);
                    break;
                case "tsize":
                    answer = transfer.Length;
                    break;
                case "timeout" when number is >= 1 and <= 255:
                    transfer.Patience = (ulong)number * 1_000_000_000;
                    answer = number;
                    break;
                case "windowsize" when number >= 1:
                    answer = transfer.Window = (int)Math.Min(number, MaximumWindow);
                    break;
            }
            if (answer is not null)
                accepted.Append(CultureInfo.InvariantCulture, $"{option}\0{answer}\0");
        }
        if (transfer.BlockSize == 0)
            transfer.BlockSize = DefaultBlock;
        return Encoding.ASCII.GetBytes(accepted.ToString());
    }

    /// <summary>The file that a name means, or null when it would lie outside.</summary>
    private string? PathOf(string name)
    {
        // Names of loaders for DOS have backslashes.
        string[] parts = name.Replace('\\', '/').Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0 || parts.Contains(".."))
            return null;
        return Path.Combine([_directory, .. parts]);
    }

    /// <summary>A string and the zero behind it.</summary>
    private static bool TakeWord(ref ReadOnlySpan<byte> text, out string word)
    {
        int end = text.IndexOf((byte)0);
        word = "";
        if (end is < 0 or > MaximumName)
            return false;
        word = Encoding.UTF8.GetString(text[..end]);
        text = text[(end + 1)..];
        return true;
    }
}
