using System.Buffers.Binary;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Scsi;

/// <summary>
/// A disk (SBC-3) with blocks of 512 bytes, a write cache, and thin provisioning. Several commands may be under way at a time, if their transport
/// calls <see cref="ScsiUnit.Begin"/> and <see cref="AcceptAsync"/> one after the other and uses <see cref="ScsiUnit.Buffer"/> between them.
/// </summary>
[Stateful("scsi-disk")]
public sealed partial class ScsiDisk : ScsiUnit
{
    /// <summary>Bytes of a logical block.</summary>
    public const int BlockSize = 512;

    // Of READ, WRITE and their like, in the second byte; of the caching mode page; of Unmap in WRITE SAME.
    private const byte FUA = 0x08, WCE = 0x04, UNMAP = 0x08, ANCHOR = 0x10, NDOB = 0x01;

    private const uint MaxBlocks = int.MaxValue / BlockSize, MaxSameBlocks = 0xffff;
    private const int UnmapHeader = 8, UnmapRange = 16, MaxUnmapRanges = (BufferSize - UnmapHeader) / UnmapRange, PatternBytes = 64 << 10;

    private readonly IBlockBackend _backend;
    private readonly bool _removable;

    [Saved(20)] private bool _writeThrough;

    [NotSaved("of the command whose parameters are being brought; none is in a saved state")] private ulong _block;
    [NotSaved("as the block's number")] private uint _blocks;

    /// <param name="serial">At most 20 ASCII characters; longer ones are cut.</param>
    /// <param name="removable">It says that its medium can be taken out, as memory sticks do.</param>
    public ScsiDisk(IBlockBackend backend, string serial = "", bool removable = false)
        : base(0, "MYNA DISK", serial.Length == 0 ? "MYNASD01" : serial[..Math.Min(serial.Length, 20)])
    {
        _backend = backend;
        _removable = removable;
    }

    internal override IBlockBackend Medium => _backend;

    private protected override bool Removable => _removable;

    private protected override ReadOnlySpan<byte> VitalPages => [0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2];

    private ulong Blocks => _backend.Length / BlockSize;

    internal override void Reset()
    {
        base.Reset();
        _writeThrough = false;
    }

    /// <summary>The parameters of MODE SELECT, UNMAP and WRITE SAME, which are read before this first waits.</summary>
    internal override ValueTask<BlockStatus> AcceptAsync(byte op, int length) => op switch
    {
        ScsiOp.UNMAP => UnmapAsync(length),
        ScsiOp.WRITE_SAME_10 or ScsiOp.WRITE_SAME_16 => WriteSameAsync(_block, _blocks),
        ScsiOp.MODE_SELECT_6 => new(ModeSelect(length, 4)),
        ScsiOp.MODE_SELECT_10 => new(ModeSelect(length, 8)),
        _ => new(BlockStatus.Ok),
    };

    private protected override Transfer Execute(ReadOnlySpan<byte> cdb)
    {
        const byte ReadCapacity16 = 0x10;
        switch (cdb[0])
        {
            case ScsiOp.TEST_UNIT_READY or ScsiOp.REZERO_UNIT or ScsiOp.SEEK_6 or ScsiOp.SEEK_10 or ScsiOp.START_STOP_UNIT or ScsiOp.PREVENT_ALLOW_MEDIUM_REMOVAL:
                return default;
            case ScsiOp.READ_6 or ScsiOp.WRITE_6:
                // A length of 0 means 256 blocks (SBC-3, section 5.9).
                return Move(cdb[0] == ScsiOp.READ_6 ? TransferKind.Read : TransferKind.Write, U32(cdb, 0) & 0x1f_ffff, cdb[4] == 0 ? 256u : cdb[4], 0);
            case ScsiOp.READ_10:
                return Move(TransferKind.Read, U32(cdb, 2), (uint)U16(cdb, 7), cdb[1]);
            case ScsiOp.WRITE_10 or ScsiOp.WRITE_AND_VERIFY_10:
                return Move(TransferKind.Write, U32(cdb, 2), (uint)U16(cdb, 7), cdb[1]);
            case ScsiOp.READ_12:
                return Move(TransferKind.Read, U32(cdb, 2), U32(cdb, 6), cdb[1]);
            case ScsiOp.WRITE_12:
                return Move(TransferKind.Write, U32(cdb, 2), U32(cdb, 6), cdb[1]);
            case ScsiOp.READ_16:
                return Move(TransferKind.Read, U64(cdb, 2), U32(cdb, 10), cdb[1]);
            case ScsiOp.WRITE_16:
                return Move(TransferKind.Write, U64(cdb, 2), U32(cdb, 10), cdb[1]);
            case ScsiOp.VERIFY_10:
                return Verify(U32(cdb, 2), (uint)U16(cdb, 7), cdb[1]);
            case ScsiOp.VERIFY_16:
                return Verify(U64(cdb, 2), U32(cdb, 10), cdb[1]);
            case ScsiOp.SYNCHRONIZE_CACHE_10 or ScsiOp.SYNCHRONIZE_CACHE_16:
                return new(TransferKind.Flush);
            case ScsiOp.READ_CAPACITY_10:
                Put32(0, (uint)Math.Min(Blocks - 1, uint.MaxValue));
                Put32(4, BlockSize);
                return In(8, 8);
            case ScsiOp.SERVICE_ACTION_IN_16 when (cdb[1] & 0x1f) == ReadCapacity16:
                return Capacity16((int)Math.Min(U32(cdb, 10), BufferSize));
            case ScsiOp.MODE_SENSE_6:
                return ModeSense(cdb, cdb[4], 4);
            case ScsiOp.MODE_SENSE_10:
                return ModeSense(cdb, U16(cdb, 7), 8);
            case ScsiOp.MODE_SELECT_6:
                return Parameters(cdb[4]);
            case ScsiOp.MODE_SELECT_10:
                return Parameters(U16(cdb, 7));
            case ScsiOp.UNMAP:
                return (cdb[1] & 1) != 0 ? Fail(Sense.InvalidField) : _backend.ReadOnly ? Fail(Sense.WriteProtected) : Parameters(U16(cdb, 7));
            case ScsiOp.WRITE_SAME_10:
                return Same(U32(cdb, 2), (uint)U16(cdb, 7), cdb[1]);
            case ScsiOp.WRITE_SAME_16:
                return Same(U64(cdb, 2), U32(cdb, 10), cdb[1]);
            default:
                return Fail(Sense.InvalidOpCode);
        }
    }

    private protected override int VitalPage(byte page, Span<byte> content)
    {
        switch (page)
        {
            // Block limits (SBC-3, section 6.6.4): WSNZ; the granularity is that of the host's pages.
            case 0xb0:
                content[0] = 1;
                BinaryPrimitives.WriteUInt16BigEndian(content[2..], 8);
                BinaryPrimitives.WriteUInt32BigEndian(content[4..], 0xffff);
                BinaryPrimitives.WriteUInt32BigEndian(content[16..], 1 << 22);
                BinaryPrimitives.WriteUInt32BigEndian(content[20..], MaxUnmapRanges);
                BinaryPrimitives.WriteUInt32BigEndian(content[24..], 8);
                BinaryPrimitives.WriteUInt64BigEndian(content[32..], MaxSameBlocks);
                return 60;
            // Characteristics (section 6.6.3): it does not rotate.
            case 0xb1:
                content[1] = 1;
                return 60;
            // Logical block provisioning (section 6.6.5): UNMAP, WRITE SAME with its bit; thin.
            case 0xb2:
                (content[1], content[2]) = (0xe0, 2);
                return 4;
            default:
                return 0;
        }
    }

    private static ulong U64(ReadOnlySpan<byte> cdb, int at) => BinaryPrimitives.ReadUInt64BigEndian(cdb[at..]);

    private bool Holds(ulong block, ulong count) => block <= Blocks && count <= Blocks - block;

    private Transfer Move(TransferKind kind, ulong block, uint count, byte flags)
    {
        // No protection information.
        if ((flags & 0xe0) != 0 || count > MaxBlocks)
            return Fail(Sense.InvalidField);
        if (!Holds(block, count))
            return Fail(Sense.OutOfRange);
        bool write = kind == TransferKind.Write;
        if (write && _backend.ReadOnly)
            return Fail(Sense.WriteProtected);
        return count == 0 ? default : new(kind, block * BlockSize, count * BlockSize, write && (_writeThrough || (flags & FUA) != 0));
    }

    /// <summary>A disk of the host's cannot be read other than as it is; comparing with data (BYTCHK) is not offered.</summary>
    private Transfer Verify(ulong block, uint count, byte flags)
        => (flags & 0xe6) != 0 ? Fail(Sense.InvalidField) : Holds(block, count) ? default : Fail(Sense.OutOfRange);

    private Transfer Parameters(int length) => length switch { 0 => default, > BufferSize => Fail(Sense.InvalidField), _ => new(TransferKind.Out, 0, (uint)length) };

    private Transfer Same(ulong block, uint count, byte flags)
    {
        if ((flags & (0xe0 | ANCHOR | NDOB)) != 0 || count is 0 or > MaxSameBlocks)
            return Fail(Sense.InvalidField);
        if (!Holds(block, count))
            return Fail(Sense.OutOfRange);
        if (_backend.ReadOnly)
            return Fail(Sense.WriteProtected);
        (_block, _blocks) = (block, count);
        return new(TransferKind.Out, 0, BlockSize);
    }

    private async ValueTask<BlockStatus> WriteSameAsync(ulong block, uint count)
    {
        ReadOnlySpan<byte> pattern = Buffer.AsSpan(0, BlockSize);
        BlockStatus status;
        if (!pattern.ContainsAnyExcept((byte)0))
            status = await _backend.WriteZeroesAsync(block * BlockSize, (ulong)count * BlockSize, unmap: true).ConfigureAwait(false);
        else
        {
            byte[] content = new byte[Math.Min(PatternBytes, count * BlockSize)];
            for (int at = 0; at < content.Length; at += BlockSize)
                pattern.CopyTo(content.AsSpan(at));
            ulong offset = block * BlockSize, end = offset + (ulong)count * BlockSize;
            status = BlockStatus.Ok;
            while (offset < end && status == BlockStatus.Ok)
            {
                int length = (int)Math.Min((ulong)content.Length, end - offset);
                status = await _backend.WriteAsync(offset, [content.AsMemory(0, length)]).ConfigureAwait(false);
                offset += (ulong)length;
            }
        }
        return status == BlockStatus.Ok && _writeThrough ? await _backend.FlushAsync().ConfigureAwait(false) : status;
    }

    /// <summary>SBC-3, section 5.28.</summary>
    private async ValueTask<BlockStatus> UnmapAsync(int length)
    {
        int ranges = length < UnmapHeader ? 0 : Math.Min(U16(Buffer, 2), length - UnmapHeader) / UnmapRange;
        var list = new (ulong Block, uint Count)[ranges];
        for (int i = 0; i < ranges; i++)
        {
            int at = UnmapHeader + i * UnmapRange;
            list[i] = (U64(Buffer, at), U32(Buffer, at + 8));
            if (!Holds(list[i].Block, list[i].Count))
                return BlockStatus.OutOfRange;
        }
        foreach ((ulong block, uint count) in list)
        {
            if (count == 0)
                continue;
            BlockStatus status = await _backend.DiscardAsync(block * BlockSize, (ulong)count * BlockSize).ConfigureAwait(false);
            // It is advice: a host that cannot follow it does no harm.
            if (status is not (BlockStatus.Ok or BlockStatus.NotSupported))
                return status;
        }
        return BlockStatus.Ok;
    }

    /// <summary>SBC-3, section 5.16: thin provisioning, eight logical blocks in a physical one.</summary>
    private Transfer Capacity16(int allocated)
    {
        Array.Clear(Buffer, 0, 32);
        BinaryPrimitives.WriteUInt64BigEndian(Buffer, Blocks - 1);
        Put32(8, BlockSize);
        (Buffer[13], Buffer[14]) = (3, 0x80);
        return In(32, allocated);
    }

    /// <summary>SPC-4, section 6.13: read-write error recovery (01h), caching (08h), control (0Ah).</summary>
    private Transfer ModeSense(ReadOnlySpan<byte> cdb, int allocated, int header)
    {
        const byte WriteProtect = 0x80, DPOFUA = 0x10, DBD = 0x08;
        Array.Clear(Buffer, 0, 256);
        int wanted = cdb[2] & 0x3f, control = cdb[2] >> 6, length = header;
        if (control == 3)
            return Fail(new(Sense.IllegalRequestKey, 0x39));
        if (cdb[3] is not (0 or 0xff))
            return Fail(Sense.InvalidField);
        if ((cdb[1] & DBD) == 0)
        {
            Put32(length, (uint)Math.Min(Blocks, uint.MaxValue));
            Put32(length + 4, BlockSize);
            Buffer[header == 4 ? 3 : 7] = 8;
            length += 8;
        }
        int pages = length;
        // What can be changed is the write cache; it is on by default.
        Page(0x01, [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0], []);
        Page(0x08, [control == 0 && _writeThrough ? (byte)0 : WCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [WCE]);
        Page(0x0a, [0, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0, 0], []);
        if (length == pages)
            return Fail(Sense.InvalidField);
        byte specific = (byte)((_backend.ReadOnly ? WriteProtect : 0) | DPOFUA);
        if (header == 4)
            (Buffer[0], Buffer[2]) = ((byte)(length - 1), specific);
        else
        {
            Put16(0, length - 2);
            Buffer[3] = specific;
        }
        return In(length, allocated);

        void Page(byte code, ReadOnlySpan<byte> content, ReadOnlySpan<byte> changeable)
        {
            if (wanted != code && wanted != 0x3f)
                return;
            (Buffer[length], Buffer[length + 1]) = (code, (byte)content.Length);
            (control == 1 ? changeable : content).CopyTo(Buffer.AsSpan(length + 2));
            length += 2 + content.Length;
        }
    }

    /// <summary>SPC-4, section 6.11: of all pages the write cache alone is heeded.</summary>
    private BlockStatus ModeSelect(int length, int header)
    {
        int at = length < header ? length : header + (header == 4 ? Buffer[3] : U16(Buffer, 6));
        while (at + 2 < length)
        {
            int page = Buffer[at] & 0x3f, size = Buffer[at + 1];
            if (at + 2 + size > length || page is not (0x01 or 0x08 or 0x0a))
            {
                Sense = Sense.InvalidParameter;
                return BlockStatus.Ok;
            }
            if (page == 0x08 && size != 0)
                _writeThrough = (Buffer[at + 2] & WCE) == 0;
            at += 2 + size;
        }
        return BlockStatus.Ok;
    }
}
