using System.Buffers.Binary;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Scsi;

/// <summary>
/// A SCSI logical unit: it decodes command descriptor blocks; its transport moves the data. Not locked: its transport is.
/// A command has failed when <see cref="Sense"/> has a key at its end. Saved tags 1 to 19 are this class's.
/// </summary>
[Stateful("scsi-unit")]
public abstract partial class ScsiUnit
{
    /// <summary>Bytes of <see cref="Buffer"/>.</summary>
    public const int BufferSize = 4096;

    /// <summary>Bytes of fixed-format sense data.</summary>
    public const int SenseSize = 18;

    [Saved(1)] private readonly byte[] _buffer = new byte[BufferSize];
    [Saved(2)] private Sense _sense;

    // What happened meanwhile and the host has not been told.
    [Saved(3)] private Sense _attention;

    private readonly string _product, _serial;
    private readonly byte _deviceType;

    /// <param name="deviceType">Peripheral device type (SPC-4, section 6.6.2).</param>
    /// <param name="product">Product identification, at most 16 characters.</param>
    private protected ScsiUnit(byte deviceType, string product, string serial)
    {
        _deviceType = deviceType;
        _product = product;
        _serial = serial;
    }

    internal byte[] Buffer => _buffer;

    /// <summary>Why the last command failed; a key of zero when it did not.</summary>
    internal Sense Sense { get => _sense; private protected set => _sense = value; }

    /// <summary>What transfers of <see cref="TransferKind.Read"/>, Write and Flush go to; null while there is no medium.</summary>
    internal abstract IBlockBackend? Medium { get; }

    /// <summary>The unit's medium can be taken out.</summary>
    private protected virtual bool Removable => false;

    /// <summary>Begins a command. Where the answer is <see cref="TransferKind.None"/> it has ended.</summary>
    /// <param name="cdb">As many bytes as the transport brings, at least 12, and 16 for a disk; what a shorter one lacks is zero.</param>
    internal Transfer Begin(ReadOnlySpan<byte> cdb)
    {
        byte op = cdb[0];
        if (op == ScsiOp.REQUEST_SENSE)
        {
            Transfer answer = RequestSense(cdb[4]);
            _sense = Sense.None;
            return answer;
        }
        _sense = Sense.None;
        // SAM-5, section 5.14: these are not held up.
        if (_attention.Key != 0 && op is not (ScsiOp.INQUIRY or ScsiOp.REPORT_LUNS or ScsiOp.GET_CONFIGURATION or ScsiOp.GET_EVENT_STATUS_NOTIFICATION))
        {
            _sense = _attention;
            _attention = Sense.None;
            return default;
        }
        Transfer transfer = op switch
        {
            ScsiOp.INQUIRY => Inquiry(cdb),
            ScsiOp.REPORT_LUNS => ReportLuns(cdb),
            _ => Execute(cdb),
        };
        return _sense.Key == 0 ? transfer : default;
    }

    /// <summary>The parameters of a transfer <see cref="TransferKind.Out"/> are in <see cref="Buffer"/>.</summary>
    /// <param name="op">The command's operation code.</param>
    internal abstract ValueTask<BlockStatus> AcceptAsync(byte op, int length);

    /// <summary>A command that transferred has ended.</summary>
    internal void End(in Transfer transfer, BlockStatus status)
    {
        if (status != BlockStatus.Ok && _sense.Key == 0)
            _sense = SenseOf(transfer, status);
    }

    /// <summary>Why a transfer failed, for transports with several commands under way, which do not call <see cref="End"/>.</summary>
    internal static Sense SenseOf(in Transfer transfer, BlockStatus status) => status switch
    {
        BlockStatus.Ok => Sense.None,
        BlockStatus.OutOfRange => Sense.OutOfRange,
        BlockStatus.ReadOnly => Sense.WriteProtected,
        BlockStatus.NoSpace => Sense.SpaceFailed,
        _ => transfer.Kind == TransferKind.Read ? Sense.UnrecoveredRead : Sense.WriteError,
    };

    /// <summary>Why the last command failed, which is then forgotten: for transports that bring it with the command's end.</summary>
    internal Sense TakeSense()
    {
        Sense sense = _sense;
        _sense = Sense.None;
        return sense;
    }

    /// <summary>Writes fixed-format sense data (SPC-4, section 4.5.3).</summary>
    internal static void WriteSense(Span<byte> to, Sense sense)
    {
        Span<byte> data = stackalloc byte[SenseSize];
        data.Clear();
        (data[0], data[2], data[7], data[12], data[13]) = (0x70, sense.Key, SenseSize - 8, sense.Asc, sense.Ascq);
        data[..Math.Min(to.Length, SenseSize)].CopyTo(to);
    }

    /// <summary>Power-on state.</summary>
    internal virtual void Reset()
    {
        Array.Clear(_buffer);
        _sense = Sense.None;
        _attention = Sense.PowerOn;
    }

    /// <summary>A unit attention condition is to be reported.</summary>
    private protected void Attention(Sense sense) => _attention = sense;

    private protected abstract Transfer Execute(ReadOnlySpan<byte> cdb);

    /// <summary>A page of vital product data beyond those that every unit has; its length, or 0 when there is none.</summary>
    private protected virtual int VitalPage(byte page, Span<byte> content) => 0;

    private protected virtual ReadOnlySpan<byte> VitalPages => [0x00, 0x80, 0x83];

    private protected Transfer Fail(Sense sense)
    {
        _sense = sense;
        return default;
    }

    /// <summary>Sends the first bytes of the buffer, at most as many as the host allows.</summary>
    private protected static Transfer In(int length, int allocated)
    {
        length = Math.Min(length, allocated);
        return length == 0 ? default : new(TransferKind.In, 0, (uint)length);
    }

    private protected static uint U32(ReadOnlySpan<byte> cdb, int at) => BinaryPrimitives.ReadUInt32BigEndian(cdb[at..]);
    private protected static int U16(ReadOnlySpan<byte> cdb, int at) => BinaryPrimitives.ReadUInt16BigEndian(cdb[at..]);
    private protected void Put16(int at, int value) => BinaryPrimitives.WriteUInt16BigEndian(_buffer.AsSpan(at), (ushort)value);
    private protected void Put32(int at, uint value) => BinaryPrimitives.WriteUInt32BigEndian(_buffer.AsSpan(at), value);

    private Transfer RequestSense(int allocated)
    {
        Sense sense = _sense;
        if (sense.Key == 0 && _attention.Key != 0)
        {
            sense = _attention;
            _attention = Sense.None;
        }
        WriteSense(_buffer, sense);
        return In(SenseSize, allocated);
    }

    /// <summary>SPC-4, section 6.6.</summary>
    private Transfer Inquiry(ReadOnlySpan<byte> cdb)
    {
        int allocated = U16(cdb, 3);
        Array.Clear(_buffer);
        _buffer[0] = _deviceType;
        if ((cdb[1] & 1) != 0)
            return VitalProductData(cdb[2], allocated);
        if (cdb[2] != 0)
            return Fail(Sense.InvalidField);
        _buffer[1] = Removable ? (byte)0x80 : (byte)0;
        (_buffer[2], _buffer[3], _buffer[4]) = (5, 2, 31); // SPC-3
        Text(8, 8, "MYNA");
        Text(16, 16, _product);
        Text(32, 4, "1.0");
        return In(36, allocated);
    }

    private Transfer VitalProductData(byte page, int allocated)
    {
        int length;
        Span<byte> content = _buffer.AsSpan(4);
        switch (page)
        {
            case 0x00:
                VitalPages.CopyTo(content);
                length = VitalPages.Length;
                break;
            case 0x80:
                length = _serial.Length;
                Text(4, length, _serial);
                break;
            case 0x83:
                // A T10 vendor identification in ASCII.
                length = 4 + 8 + _serial.Length;
                (content[0], content[1], content[3]) = (0x02, 0x01, (byte)(length - 4));
                Text(8, 8, "MYNA");
                Text(16, _serial.Length, _serial);
                break;
            default:
                length = VitalPage(page, content);
                if (length == 0)
                    return Fail(Sense.InvalidField);
                break;
        }
        _buffer[1] = page;
        Put16(2, length);
        return In(4 + length, allocated);
    }

    /// <summary>SPC-4, section 6.33: this unit, number 0.</summary>
    private Transfer ReportLuns(ReadOnlySpan<byte> cdb)
    {
        Array.Clear(_buffer);
        _buffer[3] = 8;
        return In(16, (int)Math.Min(U32(cdb, 6), BufferSize));
    }

    private void Text(int at, int length, string text)
    {
        for (int i = 0; i < length; i++)
            _buffer[at + i] = i < text.Length && char.IsAscii(text[i]) ? (byte)text[i] : (byte)' ';
    }

    private protected virtual void Sync() { }
}
