using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Scsi;

/// <summary>
/// A CD and DVD reader (MMC-6) with a medium of 2048-byte sectors in one data track. What is larger than a CD holds is a DVD.
/// LIMIT: no audio, no raw sectors, no recording.
/// </summary>
[Stateful("scsi-cdrom")]
public sealed partial class ScsiCdrom : ScsiUnit
{
    /// <summary>Bytes of a sector.</summary>
    public const int SectorSize = 2048;

    // Profiles (MMC-6, section 5.3.2): CD-ROM, DVD-ROM; CDs have at most 80 minutes.
    private const int CdRom = 0x0008, DvdRom = 0x0010;
    private const uint MostCdSectors = 80 * 60 * 75, LeadIn = 150;
    private const byte LeadOutTrack = 0xaa, MsfBit = 2, DataTrack = 0x14;

    private enum MediaEvent : byte { None = 0, EjectRequest = 1, NewMedia = 2, MediaRemoval = 3 }

    [NotSaved("the user's affair: the machine is made with the same one")] private IBlockBackend? _medium;
    [Saved(20)] private bool _trayOpen;
    [Saved(21)] private bool _locked;
    [Saved(22)] private MediaEvent _event;

    /// <param name="medium">The disc, or null for none.</param>
    public ScsiCdrom(IBlockBackend? medium, string serial = "") : base(5, "MYNA DVD-ROM", serial.Length == 0 ? "MYNACD01" : serial) => _medium = medium;

    internal override IBlockBackend? Medium => _trayOpen ? null : _medium;

    private protected override bool Removable => true;

    private uint Sectors => (uint)Math.Min((Medium?.Length ?? 0) / SectorSize, uint.MaxValue);
    private bool IsDvd => Sectors > MostCdSectors;

    /// <summary>Exchanges the disc; the guest is told. Under the transport's lock.</summary>
    /// <param name="medium">The new disc, or null to take it out.</param>
    /// <param name="force">Whatever the guest says about it.</param>
    /// <returns>False when the guest has locked the tray: it is told that the user wants the disc.</returns>
    internal bool Exchange(IBlockBackend? medium, bool force)
    {
        if (_locked && !force && _medium is not null)
        {
            _event = MediaEvent.EjectRequest;
            return false;
        }
        _medium = medium;
        _trayOpen = false;
        _event = medium is null ? MediaEvent.MediaRemoval : MediaEvent.NewMedia;
        if (medium is not null)
            Attention(Sense.MediumChanged);
        return true;
    }

    internal override void Reset()
    {
        base.Reset();
        _locked = _trayOpen = false;
        _event = MediaEvent.None;
    }

    internal override ValueTask<BlockStatus> AcceptAsync(byte op, int length) => new(BlockStatus.Ok);

    private protected override Transfer Execute(ReadOnlySpan<byte> cdb)
    {
        switch (cdb[0])
        {
            case ScsiOp.TEST_UNIT_READY or ScsiOp.SEEK_10 or ScsiOp.VERIFY_10 or ScsiOp.SYNCHRONIZE_CACHE_10:
                return Ready() ? default : NotReady();
            case ScsiOp.PREVENT_ALLOW_MEDIUM_REMOVAL:
                _locked = (cdb[4] & 1) != 0;
                return default;
            case ScsiOp.START_STOP_UNIT:
                return StartStop(cdb[4]);
            case ScsiOp.READ_10:
                return Read(U32(cdb, 2), (uint)U16(cdb, 7));
            case ScsiOp.READ_12:
                return Read(U32(cdb, 2), U32(cdb, 6));
            case ScsiOp.READ_CD:
                return ReadCd(cdb);
            case ScsiOp.READ_CAPACITY_10:
                if (!Ready())
                    return NotReady();
                Put32(0, Sectors - 1);
                Put32(4, SectorSize);
                return In(8, 8);
            case ScsiOp.READ_TOC:
                return Ready() ? ReadToc(cdb) : NotReady();
            case ScsiOp.GET_CONFIGURATION:
                return GetConfiguration(cdb);
            case ScsiOp.GET_EVENT_STATUS_NOTIFICATION:
                return GetEvent(cdb);
            case ScsiOp.READ_DISC_INFORMATION:
                return Ready() ? DiscInformation(U16(cdb, 7)) : NotReady();
            case ScsiOp.READ_TRACK_INFORMATION:
                return Ready() ? TrackInformation(U16(cdb, 7)) : NotReady();
            case ScsiOp.READ_SUB_CHANNEL:
                return Ready() ? SubChannel(U16(cdb, 7)) : NotReady();
            case ScsiOp.READ_DVD_STRUCTURE:
                return DvdStructure(cdb);
            case ScsiOp.MECHANISM_STATUS:
                Array.Clear(Buffer, 0, 8);
                Buffer[1] = _trayOpen ? (byte)0x10 : (byte)0;
                Buffer[5] = 1;
                return In(8, U16(cdb, 8));
            case ScsiOp.SET_CD_SPEED:
                return default;
            case ScsiOp.MODE_SENSE_6:
                return ModeSense(cdb[2], cdb[4], 4);
            case ScsiOp.MODE_SENSE_10:
                return ModeSense(cdb[2], U16(cdb, 7), 8);
            case ScsiOp.MODE_SELECT_6:
                return cdb[4] == 0 ? default : new(TransferKind.Out, 0, cdb[4]);
            case ScsiOp.MODE_SELECT_10:
                return U16(cdb, 7) switch { 0 => default, > BufferSize => Fail(Sense.InvalidField), int n => new(TransferKind.Out, 0, (uint)n) };
            default:
                return Fail(Sense.InvalidOpCode);
        }
    }

    private bool Ready() => Sectors != 0;

    private Transfer NotReady() => Fail(_trayOpen ? Sense.TrayOpen : Sense.NoMedium);

    private Transfer Read(uint sector, uint count)
    {
        if (!Ready())
            return NotReady();
        if (sector > Sectors || count > Sectors - sector || count > int.MaxValue / SectorSize)
            return Fail(Sense.OutOfRange);
        return count == 0 ? default : new(TransferKind.Read, (ulong)sector * SectorSize, count * SectorSize);
    }

    /// <summary>MMC-6, section 6.18: the user data of data sectors.</summary>
    private Transfer ReadCd(ReadOnlySpan<byte> cdb)
    {
        const byte UserData = 0x10;
        uint count = U32(cdb, 5) & 0xff_ffff;
        return (cdb[9] & 0xf8) switch
        {
            0 => Ready() ? default : NotReady(),
            UserData => Read(U32(cdb, 2), count),
            _ => Fail(Sense.IllegalMode),
        };
    }

    /// <summary>LoEj and Start (MMC-6, section 6.42).</summary>
    private Transfer StartStop(byte action)
    {
        if ((action & 2) == 0)
            return default;
        bool close = (action & 1) != 0;
        if (!close && _locked && !_trayOpen)
            return Fail(Sense.RemovalPrevented);
        if (_trayOpen != close)
            return default;
        _trayOpen = !close;
        _event = _medium is null ? MediaEvent.None : close ? MediaEvent.NewMedia : MediaEvent.MediaRemoval;
        if (close && _medium is not null)
            Attention(Sense.MediumChanged);
        return default;
    }

    /// <summary>An address as the host wants it: a sector, or minutes, seconds and frames.</summary>
    private void PutAddress(int at, uint sector, bool msf)
    {
        uint frames = sector + LeadIn;
        Put32(at, msf ? (frames / (60 * 75) & 0xff) << 16 | frames / 75 % 60 << 8 | frames % 75 : sector);
    }

    /// <summary>MMC-6, section 6.25: formats 0 (tracks), 1 (sessions) and 2 (all of it).</summary>
    private Transfer ReadToc(ReadOnlySpan<byte> cdb)
    {
        bool msf = (cdb[1] & MsfBit) != 0;
        int format = (cdb[2] & 0xf) != 0 ? cdb[2] & 0xf : cdb[9] >> 6, length = 4;
        byte first = cdb[6];
        Array.Clear(Buffer);
        (Buffer[2], Buffer[3]) = (1, 1);
        switch (format)
        {
            case 0 when first is <= 1 or LeadOutTrack:
                if (first <= 1)
                    Track(1, 0);
                Track(LeadOutTrack, Sectors);
                break;
            case 1:
                Track(1, 0);
                break;
            case 2:
                Full(0xa0, 1, 0, 0);
                Full(0xa1, 1, 0, 0);
                Lead(Sectors);
                Full(1, 0, 2, 0);
                break;
            default:
                return Fail(Sense.InvalidField);
        }
        Put16(0, length - 2);
        return In(length, U16(cdb, 7));

        void Track(byte number, uint sector)
        {
            (Buffer[length + 1], Buffer[length + 2]) = (DataTrack, number);
            PutAddress(length + 4, sector, msf);
            length += 8;
        }

        // Session, control, point, then its minutes, seconds and frames.
        void Full(byte point, byte minute, byte second, byte frame)
        {
            (Buffer[length], Buffer[length + 1], Buffer[length + 3]) = (1, DataTrack, point);
            (Buffer[length + 8], Buffer[length + 9], Buffer[length + 10]) = (minute, second, frame);
            length += 11;
        }

        void Lead(uint sector)
        {
            uint frames = sector + LeadIn;
            Full(0xa2, (byte)(frames / (60 * 75)), (byte)(frames / 75 % 60), (byte)(frames % 75));
        }
    }

    /// <summary>MMC-6, section 6.6 and chapter 5: the profile list, core, removable medium, random readable, and the profile's own feature.</summary>
    private Transfer GetConfiguration(ReadOnlySpan<byte> cdb)
    {
        int start = U16(cdb, 2), kind = cdb[1] & 3, length = 8;
        if (kind == 3)
            return Fail(Sense.InvalidField);
        Array.Clear(Buffer);
        int profile = !Ready() ? 0 : IsDvd ? DvdRom : CdRom;
        Put16(6, profile);
        Feature(0x0000, persistent: true, current: true, [0, DvdRom, profile == DvdRom ? (byte)1 : (byte)0, 0, 0, CdRom, profile == CdRom ? (byte)1 : (byte)0, 0]);
        Feature(0x0001, persistent: true, current: true, [0, 0, 0, 1, 1, 0, 0, 0], version: 2);
        // A tray that can be locked and ejects.
        Feature(0x0003, persistent: true, current: true, [0x29, 0, 0, 0]);
        Feature(0x0010, persistent: false, profile != 0, [0, 0, SectorSize >> 8, 0, 0, 16, 0, 0]);
        Feature(0x001e, persistent: false, profile == CdRom, [0, 0, 0, 0], version: 2);
        Feature(0x001f, persistent: false, profile == DvdRom, []);
        Put32(0, (uint)length - 4);
        return In(length, U16(cdb, 7));

        void Feature(int code, bool persistent, bool current, ReadOnlySpan<byte> data, int version = 0)
        {
            if (code < start || (kind == 1 && !current) || (kind == 2 && code != start))
                return;
            Put16(length, code);
            Buffer[length + 2] = (byte)(version << 2 | (persistent ? 2 : 0) | (current ? 1 : 0));
            Buffer[length + 3] = (byte)data.Length;
            data.CopyTo(Buffer.AsSpan(length + 4));
            length += 4 + data.Length;
        }
    }

    /// <summary>MMC-6, section 6.7: polled, media events only.</summary>
    private Transfer GetEvent(ReadOnlySpan<byte> cdb)
    {
        const byte Media = 4, MediaClass = 1 << Media, NoEvent = 0x80;
        if ((cdb[1] & 1) == 0)
            return Fail(Sense.InvalidField);
        Array.Clear(Buffer, 0, 8);
        if ((cdb[4] & MediaClass) == 0)
        {
            (Buffer[1], Buffer[2], Buffer[3]) = (2, NoEvent, MediaClass);
            return In(4, U16(cdb, 7));
        }
        (Buffer[1], Buffer[2], Buffer[3]) = (6, Media, MediaClass);
        Buffer[4] = (byte)_event;
        Buffer[5] = (byte)((_trayOpen ? 1 : 0) | (Medium is null ? 0 : 2));
        if (U16(cdb, 7) > 4)
            _event = MediaEvent.None;
        return In(8, U16(cdb, 7));
    }

    /// <summary>MMC-6, section 6.22: a finished disc of one session and one track.</summary>
    private Transfer DiscInformation(int allocated)
    {
        Array.Clear(Buffer, 0, 34);
        (Buffer[1], Buffer[2], Buffer[3], Buffer[4], Buffer[5], Buffer[6], Buffer[7]) = (32, 0x0e, 1, 1, 1, 1, 0x20);
        Put32(16, uint.MaxValue);
        Put32(20, uint.MaxValue);
        return In(34, allocated);
    }

    /// <summary>MMC-6, section 6.26.</summary>
    private Transfer TrackInformation(int allocated)
    {
        Array.Clear(Buffer, 0, 36);
        (Buffer[1], Buffer[2], Buffer[3], Buffer[5], Buffer[6]) = (34, 1, 1, 4, 1);
        Put32(24, Sectors);
        return In(36, allocated);
    }

    /// <summary>MMC-6, section 6.24: no audio is being played.</summary>
    private Transfer SubChannel(int allocated)
    {
        const byte NoAudioStatus = 0x15;
        Array.Clear(Buffer, 0, 4);
        Buffer[1] = NoAudioStatus;
        return In(4, allocated);
    }

    /// <summary>MMC-6, section 6.23: format 0, the physical format of a DVD-ROM.</summary>
    private Transfer DvdStructure(ReadOnlySpan<byte> cdb)
    {
        if (!Ready())
            return NotReady();
        if (!IsDvd || cdb[7] != 0)
            return Fail(Sense.InvalidField);
        const uint First = 0x30000;
        Array.Clear(Buffer, 0, 2052);
        Put16(0, 2050);
        (Buffer[4], Buffer[5], Buffer[6]) = (0x01, 0x0f, 0x01);
        Put32(8, First);
        Put32(12, First + Sectors - 1);
        return In(2052, U16(cdb, 8));
    }

    /// <summary>MMC-6, chapter 7: read error recovery (01h), CD parameters (0Dh), CD audio control (0Eh), capabilities (2Ah).</summary>
    private Transfer ModeSense(byte page, int allocated, int header)
    {
        Array.Clear(Buffer, 0, 256);
        int length = header;
        int wanted = page & 0x3f;
        if (page >> 6 == 3)
            return Fail(new(Sense.IllegalRequestKey, 0x39));
        // Changeable values are asked for: there are none.
        bool changeable = page >> 6 == 1;
        Page(0x01, [0, 5, 0, 0, 0, 0]);
        Page(0x0d, [0, 0, 0, 60, 0, 75]);
        Page(0x0e, [4, 0, 0, 0, 0, 75, 1, 255, 2, 255, 0, 0, 0, 0]);
        Page(0x2a, [0x3b, 0, 0x70, 0x60, (byte)(0x29 | (_locked ? 2 : 0)), 0, 0x0b, 0x00, 1, 0, 2, 0, 0x0b, 0, 0, 0, 0, 0, 0, 0]);
        if (length == header)
            return Fail(Sense.InvalidField);
        // The medium type: a CD with data, a DVD, none, the tray is open.
        byte type = (byte)(_trayOpen ? 0x71 : !Ready() ? 0x70 : IsDvd ? 0x41 : 0x01);
        if (header == 4)
            (Buffer[0], Buffer[1]) = ((byte)(length - 1), type);
        else
        {
            Put16(0, length - 2);
            Buffer[2] = type;
        }
        return In(length, allocated);

        void Page(byte code, ReadOnlySpan<byte> content)
        {
            if (wanted != code && wanted != 0x3f)
                return;
            (Buffer[length], Buffer[length + 1]) = (code, (byte)content.Length);
            if (!changeable)
                content.CopyTo(Buffer.AsSpan(length + 2));
            length += 2 + content.Length;
        }
    }
}
