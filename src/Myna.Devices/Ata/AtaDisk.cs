using System.Buffers.Binary;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Ata;

/// <summary>A disk: the general feature set of ATA8-ACS with 48-bit addresses, DMA, NCQ, TRIM and FUA.</summary>
[Stateful("ata-disk")]
public sealed partial class AtaDisk : AtaDevice
{
    private const int DefaultHeads = 16, DefaultSectors = 63, MaxTrimBlocks = 8, MaxMultiple = 16, TrimRangeSize = 8;
    private const int NcqErrorLog = 0x10;
    private const uint Sectors28 = 0x0fff_ffff;

    private readonly IBlockBackend _backend;
    private readonly string _serial;

    [Saved(20)] private int _heads = DefaultHeads;
    [Saved(21)] private int _sectorsPerTrack = DefaultSectors;

    // The queued command that failed: its tag, registers at its end.
    [Saved(22)] private byte _failedTag;
    [Saved(23)] private TaskFile _failed;

    /// <param name="serial">At most 20 ASCII characters; longer ones are cut.</param>
    public AtaDisk(IBlockBackend backend, string serial = "")
    {
        _backend = backend;
        _serial = serial.Length == 0 ? "MYNA0001" : serial;
    }

    /// <inheritdoc/>
    public override bool IsPacket => false;

    internal override IBlockBackend Medium => _backend;

    private ulong Sectors => _backend.Length / SectorSize;

    internal override Transfer Begin(ref TaskFile file, bool queued)
    {
        switch (file.Command)
        {
            case AtaCommand.READ_SECTORS or AtaCommand.READ_SECTORS_ONCE or AtaCommand.READ_MULTIPLE or AtaCommand.READ_DMA or AtaCommand.READ_DMA_ONCE:
                return Move(ref file, TransferKind.Read, wide: false);
            case AtaCommand.READ_SECTORS_EXT or AtaCommand.READ_MULTIPLE_EXT or AtaCommand.READ_DMA_EXT:
                return Move(ref file, TransferKind.Read, wide: true);
            case AtaCommand.WRITE_SECTORS or AtaCommand.WRITE_SECTORS_ONCE or AtaCommand.WRITE_MULTIPLE or AtaCommand.WRITE_DMA or AtaCommand.WRITE_DMA_ONCE:
                return Move(ref file, TransferKind.Write, wide: false);
            case AtaCommand.WRITE_SECTORS_EXT or AtaCommand.WRITE_MULTIPLE_EXT or AtaCommand.WRITE_DMA_EXT:
                return Move(ref file, TransferKind.Write, wide: true);
            case AtaCommand.WRITE_DMA_FUA_EXT or AtaCommand.WRITE_MULTIPLE_FUA_EXT:
                return Move(ref file, TransferKind.Write, wide: true) with { FlushAfter = true };
            case AtaCommand.READ_FPDMA_QUEUED or AtaCommand.WRITE_FPDMA_QUEUED when queued:
                return Move(ref file, file.Command == AtaCommand.READ_FPDMA_QUEUED ? TransferKind.Read : TransferKind.Write,
                    file.Lba, file.Feature == 0 ? 0x1_0000u : file.Feature) with { FlushAfter = file.Command == AtaCommand.WRITE_FPDMA_QUEUED && (file.Device & AtaBits.FUA) != 0 };
            case AtaCommand.VERIFY or AtaCommand.VERIFY_ONCE or AtaCommand.VERIFY_EXT:
                if (Move(ref file, TransferKind.Read, file.Command == AtaCommand.VERIFY_EXT).Kind != TransferKind.None)
                    file.Succeed();
                return default;
            case AtaCommand.FLUSH_CACHE or AtaCommand.FLUSH_CACHE_EXT:
                return new(TransferKind.Flush);
            case AtaCommand.IDENTIFY_DEVICE:
                Identify(queued);
                return In(SectorSize);
            case AtaCommand.DATA_SET_MANAGEMENT when file.Feature == 1 && file.Count is > 0 and <= MaxTrimBlocks && !_backend.ReadOnly:
                return new(TransferKind.Out, 0, (uint)file.Count * SectorSize);
            case AtaCommand.READ_LOG_EXT:
                return ReadLog(ref file);
            case AtaCommand.READ_NATIVE_MAX or AtaCommand.READ_NATIVE_MAX_EXT:
                ReadNativeMax(ref file);
                return default;
            case AtaCommand.SET_FEATURES:
                SetFeatures(ref file);
                return default;
            case AtaCommand.DIAGNOSTIC:
                BusReset();
                Signature(ref file);
                return default;
            case AtaCommand.CHECK_POWER_MODE:
                file.Count = 0xff; // active
                file.Succeed();
                return default;
            default:
                if (Simple(file))
                    file.Succeed();
                else
                    file.Fail(AtaBits.ABRT);
                return default;
        }
    }

    internal override async ValueTask<BlockStatus> AcceptAsync(byte command, int length)
    {
        // TRIM (ATA8-ACS, section 7.10.3.2): ranges of a 48-bit address and a 16-bit count.
        for (int at = 0; at + TrimRangeSize <= length; at += TrimRangeSize)
        {
            ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(Buffer.AsSpan(at));
            ulong sector = entry & 0xffff_ffff_ffff, count = entry >> 48;
            if (count == 0)
                continue;
            if (sector > Sectors || count > Sectors - sector)
                return BlockStatus.OutOfRange;
            BlockStatus status = await _backend.DiscardAsync(sector * SectorSize, count * SectorSize).ConfigureAwait(false);
            // A discard is advice: a host that cannot follow it does no harm.
            if (status is not (BlockStatus.Ok or BlockStatus.NotSupported))
                return status;
        }
        return BlockStatus.Ok;
    }

    internal override void End(ref TaskFile file, in Transfer transfer, BlockStatus status)
    {
        if (status == BlockStatus.Ok)
        {
            file.Succeed();
            return;
        }
        file.Fail(status switch
        {
            BlockStatus.OutOfRange => AtaBits.IDNF,
            BlockStatus.IoError when transfer.Kind == TransferKind.Read => AtaBits.UNC,
            _ => AtaBits.ABRT,
        });
        NoteQueued(in file);
    }

    internal override void Reset()
    {
        base.Reset();
        (_heads, _sectorsPerTrack) = (DefaultHeads, DefaultSectors);
        _failedTag = 0;
        _failed = default;
    }

    /// <summary>Keeps a failed queued command for log 10h.</summary>
    private void NoteQueued(in TaskFile file)
    {
        if (!AtaCommand.IsQueued(file.Command))
            return;
        _failedTag = (byte)(file.Count >> 3 & 31);
        _failed = file;
    }

    /// <summary>Commands without data that need no more than a yes.</summary>
    private bool Simple(in TaskFile file)
    {
        switch (file.Command)
        {
            case AtaCommand.SET_MULTIPLE_MODE when (byte)file.Count is var n && n <= MaxMultiple && (n & n - 1) == 0:
                Multiple = n;
                return true;
            case AtaCommand.INITIALIZE_DEVICE_PARAMETERS when (byte)file.Count != 0:
                _heads = (file.Device & 0xf) + 1;
                _sectorsPerTrack = (byte)file.Count;
                return true;
            case AtaCommand.RECALIBRATE or AtaCommand.SEEK or AtaCommand.STANDBY or AtaCommand.STANDBY_IMMEDIATE or AtaCommand.IDLE
                or AtaCommand.IDLE_IMMEDIATE or AtaCommand.SLEEP:
                return true;
            default:
                return false;
        }
    }

    private Transfer Move(ref TaskFile file, TransferKind kind, bool wide)
    {
        if (AtaCommand.IsMultiple(file.Command) && Multiple == 0)
        {
            file.Fail(AtaBits.ABRT);
            return default;
        }
        if (wide)
            return Move(ref file, kind, file.Lba, file.Count == 0 ? 0x1_0000u : file.Count);
        uint count = (byte)file.Count == 0 ? 256u : (byte)file.Count;
        ulong address = file.Lba & 0xff_ffff | (ulong)(file.Device & 0xf) << 24;
        if ((file.Device & AtaBits.LBA) == 0)
        {
            // Cylinder in bits 23:8, head in 27:24, sectors counted from 1.
            ulong cylinder = address >> 8 & 0xffff, head = address >> 24, sector = address & 0xff;
            address = sector == 0 || sector > (ulong)_sectorsPerTrack || head >= (ulong)_heads ? ulong.MaxValue
                : (cylinder * (ulong)_heads + head) * (ulong)_sectorsPerTrack + sector - 1;
        }
        return Move(ref file, kind, address, count);
    }

    private Transfer Move(ref TaskFile file, TransferKind kind, ulong sector, uint count)
    {
        if (sector > Sectors || count > Sectors - sector)
            file.Fail(AtaBits.IDNF);
        else if (kind == TransferKind.Write && _backend.ReadOnly)
            file.Fail(AtaBits.ABRT);
        else
            return new(kind, sector * SectorSize, count * SectorSize);
        NoteQueued(in file);
        return default;
    }

    private void ReadNativeMax(ref TaskFile file)
    {
        ulong last = Sectors - 1;
        if (file.Command == AtaCommand.READ_NATIVE_MAX)
        {
            last = Math.Min(last, Sectors28 - 1);
            file.Device = (byte)((file.Device & 0xf0) | (byte)(last >> 24));
            last &= 0xff_ffff;
        }
        file.Lba = last;
        file.Succeed();
    }

    /// <summary>READ LOG EXT (section 7.25): the directory, and the command error of native command queuing (SATA 3.0, section 13.7.5).</summary>
    private Transfer ReadLog(ref TaskFile file)
    {
        int page = (int)(file.Lba & 0xff), sectors = file.Count;
        if (sectors is 0 or > BufferSize / SectorSize || page is not (0 or NcqErrorLog) || (file.Lba >> 8 & 0xff) != 0)
        {
            file.Fail(AtaBits.ABRT);
            return default;
        }
        Array.Clear(Buffer);
        if (page == 0)
        {
            Word(0, 1);
            Word(NcqErrorLog, 1);
            return In(sectors * SectorSize);
        }
        TaskFile f = _failed;
        ReadOnlySpan<byte> log = [_failedTag, 0, f.Status, f.Error, (byte)f.Lba, (byte)(f.Lba >> 8), (byte)(f.Lba >> 16), f.Device,
            (byte)(f.Lba >> 24), (byte)(f.Lba >> 32), (byte)(f.Lba >> 40), 0, (byte)f.Count, (byte)(f.Count >> 8)];
        log.CopyTo(Buffer);
        Buffer[SectorSize - 1] = Checksum(Buffer.AsSpan(0, SectorSize - 1));
        return In(sectors * SectorSize);
    }

    /// <summary>IDENTIFY DEVICE data (section 7.13.6).</summary>
    private void Identify(bool queued)
    {
        Array.Clear(Buffer);
        ulong sectors = Sectors;
        uint cylinders = (uint)Math.Min(sectors / (DefaultHeads * DefaultSectors), 16383);
        uint current = (uint)Math.Min(sectors / (uint)(_heads * _sectorsPerTrack), 65535), chs = current * (uint)(_heads * _sectorsPerTrack);
        uint sectors28 = (uint)Math.Min(sectors, Sectors28);
        Word(0, 0x0040);
        Word(1, (int)cylinders);
        Word(3, DefaultHeads);
        Word(6, DefaultSectors);
        Text(10, 10, _serial);
        Text(23, 4, "1.0");
        Text(27, 20, "MYNA HARDDISK");
        Word(47, 0x8000 | MaxMultiple);
        Word(49, 0x0b00); // IORDY, LBA, DMA
        Word(50, 0x4000);
        Word(53, 0x0007);
        Word(54, (int)current);
        Word(55, _heads);
        Word(56, _sectorsPerTrack);
        Word(57, (int)(chs & 0xffff));
        Word(58, (int)(chs >> 16));
        Word(59, Multiple == 0 ? 0 : 0x0100 | Multiple);
        Word(60, (int)(sectors28 & 0xffff));
        Word(61, (int)(sectors28 >> 16));
        Word(63, DmaModes(0x20, 0x07));
        Word(64, 0x0003);
        for (int i = 65; i <= 68; i++)
            Word(i, 120); // nanoseconds a cycle
        if (queued)
        {
            Word(75, 31);
            Word(76, 0x0106); // NCQ, 1.5 and 3 Gb/s
        }
        Word(80, 0x01f0); // ATA/ATAPI-4 to ATA8-ACS
        // NOP, read look-ahead, write cache, power management; FLUSH CACHE (EXT), 48-bit; FUA, general logs.
        Word(82, 0x4068);
        Word(83, 0x7400);
        Word(84, 0x4060);
        Word(85, 0x4068);
        Word(86, 0x3400);
        Word(87, 0x4060);
        Word(88, DmaModes(0x40, 0x3f));
        Word(93, queued ? 0 : 0x6001);
        Word(100, (int)(sectors & 0xffff));
        Word(101, (int)(sectors >> 16 & 0xffff));
        Word(102, (int)(sectors >> 32 & 0xffff));
        if (!_backend.ReadOnly)
        {
            Word(105, MaxTrimBlocks);
            Word(169, 1);
        }
        Word(106, 0x6003); // 2^3 logical sectors make a physical one: host files live in pages
        Word(217, 1); // does not rotate
        Buffer[510] = 0xa5;
        Buffer[511] = Checksum(Buffer.AsSpan(0, 511));
    }

    private static byte Checksum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte b in bytes)
            sum += b;
        return (byte)-sum;
    }
}
