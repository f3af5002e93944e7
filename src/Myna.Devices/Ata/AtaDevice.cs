using System.Buffers.Binary;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Ata;

/// <summary>
/// A drive on an ATA or SATA bus: it decodes commands; its controller moves the data. Not locked: its controller is.
/// Saved tags 1 to 19 are this class's.
/// </summary>
[Stateful("ata-device")]
public abstract partial class AtaDevice
{
    /// <summary>Bytes of <see cref="Buffer"/>.</summary>
    public const int BufferSize = 4096;

    /// <summary>Bytes of a sector of the ATA command set, and of IDENTIFY data.</summary>
    public const int SectorSize = 512;

    /// <summary>What <see cref="TransferKind.In"/> sends, and where parameters are put.</summary>
    [Saved(1)] private readonly byte[] _buffer = new byte[BufferSize];

    /// <summary>Sectors per data block of the MULTIPLE commands, 0 before SET MULTIPLE MODE.</summary>
    [Saved(2)] private int _multiple;

    // Transfer mode of SET FEATURES: bits 7:3 kind, 2:0 number.
    [Saved(3)] private byte _transferMode;

    internal byte[] Buffer => _buffer;

    /// <summary>Sectors in a data block of a command that goes through the data register.</summary>
    internal int BlockSectors(byte command) => AtaCommand.IsMultiple(command) ? Math.Max(1, _multiple) : 1;

    /// <summary>Whether it takes the PACKET command.</summary>
    public abstract bool IsPacket { get; }

    /// <summary>What transfers of <see cref="TransferKind.Read"/>, Write and Flush go to; null while there is no medium.</summary>
    internal abstract IBlockBackend? Medium { get; }

    protected int Multiple { get => _multiple; set => _multiple = value; }

    /// <summary>Registers after power-on, a reset, and EXECUTE DEVICE DIAGNOSTIC (ATA8-ACS, section 7.9.4).</summary>
    internal void Signature(ref TaskFile file)
    {
        file.Count = 1;
        file.Lba = IsPacket ? 0xeb1401u : 1u;
        file.Device = 0;
        file.Error = 1;
        // A packet device has DRDY clear until its first command.
        file.Status = IsPacket ? (byte)0 : (byte)(AtaBits.DRDY | AtaBits.SeekComplete);
    }

    /// <summary>Begins a command.</summary>
    /// <param name="file">The registers; where the answer is <see cref="TransferKind.None"/> its end is put there.</param>
    /// <param name="queued">The bus has native command queuing.</param>
    internal abstract Transfer Begin(ref TaskFile file, bool queued);

    /// <summary>Begins the command of a packet. For devices with <see cref="IsPacket"/>.</summary>
    /// <param name="packet">Twelve bytes or sixteen.</param>
    internal virtual Transfer Packet(ref TaskFile file, ReadOnlySpan<byte> packet)
    {
        file.Fail(AtaBits.ABRT);
        return default;
    }

    /// <summary>The parameters of a transfer <see cref="TransferKind.Out"/> are in <see cref="Buffer"/>.</summary>
    internal virtual ValueTask<BlockStatus> AcceptAsync(byte command, int length) => new(BlockStatus.Ok);

    /// <summary>A command that transferred has ended: fills its registers.</summary>
    internal abstract void End(ref TaskFile file, in Transfer transfer, BlockStatus status);

    /// <summary>Power-on state.</summary>
    internal virtual void Reset()
    {
        _multiple = 0;
        _transferMode = 0;
        Array.Clear(_buffer);
    }

    /// <summary>A reset by the bus: settings of SET FEATURES stay (Software Settings Preservation).</summary>
    internal virtual void BusReset() => _multiple = 0;

    /// <summary>Sends the first bytes of the buffer.</summary>
    private protected static Transfer In(int length) => new(TransferKind.In, 0, (uint)length);

    /// <summary>Answers SET FEATURES (ATA8-ACS, section 7.47).</summary>
    private protected void SetFeatures(ref TaskFile file)
    {
        const byte SetTransferMode = 0x03;
        switch ((byte)file.Feature)
        {
            case SetTransferMode:
                _transferMode = (byte)file.Count;
                break;
            // Write cache, read look-ahead, power-on defaults, advanced power management, SATA features: accepted.
            case 0x02 or 0x82 or 0xaa or 0x55 or 0x66 or 0xcc or 0x05 or 0x85 or 0x10 or 0x90:
                break;
            default:
                file.Fail(AtaBits.ABRT);
                return;
        }
        file.Succeed();
    }

    /// <summary>The word of IDENTIFY data that says which DMA modes there are and which one is chosen (words 63 and 88).</summary>
    private protected ushort DmaModes(byte kind, ushort supported)
        => (ushort)(supported | ((_transferMode & 0xf8) == kind ? 1 << 8 + (_transferMode & 7) : 0));

    private protected void Word(int index, int value) => BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(index * 2), (ushort)value);

    /// <summary>Text in IDENTIFY data: padded with spaces, two characters to a word, the first one in the high byte.</summary>
    private protected void Text(int index, int words, string text)
    {
        for (int i = 0; i < words * 2; i++)
            _buffer[index * 2 + (i ^ 1)] = i < text.Length && char.IsAscii(text[i]) ? (byte)text[i] : (byte)' ';
    }

    private protected virtual void Sync() { }
}
