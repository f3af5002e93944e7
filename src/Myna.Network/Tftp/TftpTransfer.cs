using System.Buffers.Binary;
using Myna.Network.Wire;

namespace Myna.Network.Tftp;

/// <summary>A file on its way to a client: blocks go out a window at a time, and again when their acknowledgment does not come.</summary>
internal sealed class TftpTransfer(TftpServer server, Ipv4Endpoint client, Stream file) : Timed
{
    private const int MostTries = 6;

    // Of the window that is being acknowledged: blocks before it; numbers on the wire are their last 16 bits.
    private long _acknowledged;
    private byte[] _options = [];
    private int _tries;

    public Ipv4Endpoint Client => client;

    /// <summary>Bytes of the file at its opening.</summary>
    public long Length { get; } = file.Length;

    /// <summary>Bytes of a block; 0 before it has been decided.</summary>
    public int BlockSize { get; set; }

    /// <summary>Blocks that go out before an acknowledgment is wanted.</summary>
    public int Window { get; set; } = 1;

    /// <summary>How long an acknowledgment may take; nanoseconds.</summary>
    public ulong Patience { get; set; } = 1_000_000_000;

    // A last block that is full is followed by an empty one (RFC 1350, section 6).
    private long Blocks => Length / BlockSize + 1;

    /// <param name="options">The acknowledged ones; the file follows when the client has seen them.</param>
    public void Start(byte[] options)
    {
        _options = options;
        Send();
    }

    /// <summary>The client has everything up to a block.</summary>
    public void Acknowledge(ushort block)
    {
        if (_options.Length != 0)
        {
            if (block != 0)
                return;
            _options = [];
        }
        else
        {
            // Anything else is an old acknowledgment, which must not be answered (RFC 1123, section 4.2.3.1).
            ushort advance = (ushort)(block - (ushort)_acknowledged);
            if (advance == 0 || advance > Window)
            {
                // A gap in a window: the client says what it has (RFC 7440, section 4).
                if (advance == 0 && Window > 1)
                    Send();
                return;
            }
            _acknowledged = Math.Min(_acknowledged + advance, Blocks);
            if (_acknowledged == Blocks)
            {
                Close();
                return;
            }
        }
        _tries = 0;
        Send();
    }

    public override void OnDeadline(ulong now)
    {
        if (++_tries == MostTries)
            Close();
        else
            Send();
    }

    public void Close()
    {
        Deadline = ulong.MaxValue;
        file.Dispose();
        server.Remove(this);
    }

    private void Send()
    {
        Deadline = server.Stack.Now + Patience;
        server.Stack.Deadlines.Update(this);
        if (_options.Length != 0)
        {
            Span<byte> b = server.Stack.PayloadBuffer[UdpDatagram.HeaderSize..];
            BinaryPrimitives.WriteUInt16BigEndian(b, (ushort)TftpOpcode.OptionAcknowledgment);
            _options.CopyTo(b[2..]);
            server.Send(client, 2 + _options.Length);
            return;
        }
        for (long block = _acknowledged; block < Math.Min(_acknowledged + Window, Blocks); block++)
        {
            if (!SendBlock(block))
            {
                server.SendError(client, TftpError.NotDefined, "the file cannot be read");
                Close();
                return;
            }
        }
    }

    private bool SendBlock(long block)
    {
        Span<byte> b = server.Stack.PayloadBuffer[UdpDatagram.HeaderSize..];
        BinaryPrimitives.WriteUInt16BigEndian(b, (ushort)TftpOpcode.Data);
        BinaryPrimitives.WriteUInt16BigEndian(b[2..], (ushort)(block + 1));
        int length = (int)Math.Min(BlockSize, Length - block * BlockSize);
        try
        {
            file.Position = block * BlockSize;
            file.ReadExactly(b.Slice(4, length));
        }
        catch (IOException)
        {
            return false;
        }
        server.Send(client, 4 + length);
        return true;
    }
}
