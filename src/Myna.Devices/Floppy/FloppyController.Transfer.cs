using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Floppy;

// The commands that move sectors: one at a time, by DMA or through the FIFO, until the terminal count or the end of the track.
public sealed partial class FloppyController
{
    private const byte SizeCode = 2, HeadBit = 4;

    [Saved(30)] private readonly byte[] _sector = new byte[FloppyGeometry.SectorSize];

    // Of the sector under way; how many bytes of it went through the FIFO; how many sectors of a track are formatted.
    [Saved(31)] private byte _c;
    [Saved(32)] private byte _h;
    [Saved(33)] private byte _r;
    [Saved(34)] private int _at;

    [NotSaved("tells host I/O that a reset has abandoned")] private int _generation;
    [NotSaved("drained before saving")] private Task _work = Task.CompletedTask;

    // What READ ID finds next under the head.
    [Saved(35)] private byte _turned;

    private byte Code => FloppyCommand.Code(_fifo[0]);
    private bool Writes => Code is FloppyCommand.WRITE_DATA or FloppyCommand.WRITE_DELETED_DATA or FloppyCommand.FORMAT_TRACK;
    private int Head => (_fifo[1] & HeadBit) != 0 ? 1 : 0;

    /// <inheritdoc/>
    public void Drain() => Volatile.Read(ref _work).Wait();

    /// <summary>The parameters are in the FIFO.</summary>
    /// <returns>True: <see cref="Go"/> is to be called.</returns>
    private bool BeginTransfer(byte code)
    {
        _phase = Phase.Execution;
        _at = 0;
        FloppyDrive? drive = Drive(_fifo[1] & 3);
        if (code == FloppyCommand.READ_ID)
        {
            ReadId(drive);
            return false;
        }
        if (code == FloppyCommand.FORMAT_TRACK)
        {
            (_c, _h, _r) = ((byte)(drive?.Track ?? 0), (byte)Head, 1);
            return true;
        }
        (_c, _h, _r) = (_fifo[2], _fifo[3], code == FloppyCommand.READ_TRACK ? (byte)1 : _fifo[4]);
        if ((_configure[0] & ImpliedSeek) != 0 && drive is not null)
        {
            _ = drive.Seek(_c);
            _cylinder[_fifo[1] & 3] = _c;
        }
        return true;
    }

    /// <summary>Executes; no lock is held.</summary>
    private void Go() => Volatile.Write(ref _work, RunAsync(Volatile.Read(ref _generation)));

    private async Task RunAsync(int generation)
    {
        byte[] sector = new byte[FloppyGeometry.SectorSize];
        while (true)
        {
            IBlockBackend medium;
            ulong offset;
            bool write;
            lock (_lock)
            {
                if (generation != _generation || _phase != Phase.Execution || !Locate(out medium!, out offset))
                    return;
                write = Writes;
                // A whole sector is there to be written.
                if (write && _at == 0 && !Fetch())
                    return;
                _sector.CopyTo(sector, 0);
            }
            BlockStatus status = write
                ? await medium.WriteAsync(offset, [sector.AsMemory()]).ConfigureAwait(false)
                : await medium.ReadAsync(offset, [sector.AsMemory()]).ConfigureAwait(false);
            lock (_lock)
            {
                if (generation != _generation)
                    return;
                if (status != BlockStatus.Ok)
                {
                    Finish(FloppyStatus.Abnormal, FloppyStatus.DataError, FloppyStatus.DataErrorInField);
                    return;
                }
                if (!write)
                    sector.CopyTo(_sector, 0);
                if (!(write ? Written() : Deliver()))
                    return;
            }
        }
    }

    /// <summary>Finds the sector on the diskette.</summary>
    /// <returns>False when the command has ended instead.</returns>
    private bool Locate(out IBlockBackend? medium, out ulong offset)
    {
        offset = 0;
        FloppyDrive? drive = Drive(_fifo[1] & 3);
        medium = drive?.Medium;
        if (medium is null || drive!.Geometry is not { } geometry || geometry.Rate != (FloppyRate)(_dsr & 3) || drive.Track >= geometry.Tracks || Head >= geometry.Heads)
            return Fail(FloppyStatus.MissingMark, 0);
        if (Writes && drive.WriteProtected)
            return Fail(FloppyStatus.NotWritable, 0);
        bool format = Code == FloppyCommand.FORMAT_TRACK;
        byte size = _fifo[format ? 2 : 5];
        if (size != SizeCode)
            return Fail(format ? FloppyStatus.MissingMark : FloppyStatus.NoData, 0);
        if (!format && _c != drive.Track)
            return Fail(FloppyStatus.NoData, FloppyStatus.WrongCylinder);
        if (_h != Head || _r < 1 || _r > geometry.Sectors)
            return Fail(FloppyStatus.NoData, 0);
        offset = (ulong)((drive.Track * geometry.Heads + Head) * geometry.Sectors + _r - 1) * FloppyGeometry.SectorSize;
        return true;
    }

    private bool Fail(byte st1, byte st2)
    {
        Finish(FloppyStatus.Abnormal, st1, st2);
        return false;
    }

    /// <summary>Gets a sector from the host.</summary>
    /// <returns>False when it comes through the FIFO, or the command has ended.</returns>
    private bool Fetch()
    {
        if (Code == FloppyCommand.FORMAT_TRACK)
            return FetchIdentity();
        if (NonDma)
        {
            _phase = Phase.DataOut;
            Interrupt(true);
            return false;
        }
        Array.Clear(_sector);
        int moved = _dma.Transfer(DmaChannel, _sector, toMemory: false, out _terminal);
        if (moved == 0)
            return Fail(FloppyStatus.Overrun, 0);
        return true;
    }

    [NotSaved("between a transfer and its end")] private bool _terminal;

    /// <summary>FORMAT TRACK: four bytes of identity for each sector, whose content is the filler (section 5.1.7).</summary>
    private bool FetchIdentity()
    {
        Span<byte> identity = stackalloc byte[4];
        if (NonDma || _dma.Transfer(DmaChannel, identity, toMemory: false, out _terminal) == 0)
            return Fail(FloppyStatus.Overrun, 0);
        Array.Fill(_sector, _fifo[5]);
        return true;
    }

    /// <summary>Gives a sector that was read to the host.</summary>
    /// <returns>True when the next one is wanted.</returns>
    private bool Deliver()
    {
        if (Code == FloppyCommand.VERIFY)
        {
            // Nothing moves; without its bit EC it ends at EOT.
            _terminal = false;
            return Next();
        }
        if (NonDma)
        {
            _phase = Phase.DataIn;
            _at = 0;
            Interrupt(true);
            return false;
        }
        return _dma.Transfer(DmaChannel, _sector, toMemory: true, out _terminal) == 0 ? Fail(FloppyStatus.Overrun, 0) : Next();
    }

    /// <returns>True when there is another sector to write.</returns>
    private bool Written()
    {
        _at = 0;
        if (Code != FloppyCommand.FORMAT_TRACK)
            return Next();
        if (_r++ < _fifo[3] && !_terminal)
            return true;
        _terminal = false;
        Finish(0, 0, 0);
        return false;
    }

    private byte TakeData(out bool go)
    {
        Interrupt(false);
        byte value = _sector[_at++];
        go = _at == _sector.Length;
        if (go)
        {
            _phase = Phase.Execution;
            _at = 0;
            _terminal = false;
            go = Next();
        }
        return value;
    }

    private bool PutData(byte value)
    {
        Interrupt(false);
        _sector[_at++] = value;
        if (_at != _sector.Length)
            return false;
        // Not 0, so that it is not fetched again.
        _phase = Phase.Execution;
        _terminal = false;
        return true;
    }

    /// <summary>Goes on to the next sector (table 5-6).</summary>
    /// <returns>False when the command has ended.</returns>
    private bool Next()
    {
        bool terminal = _terminal, deleted = Code == FloppyCommand.READ_DELETED_DATA, multi = (_fifo[0] & FloppyCommand.MT) != 0, last = _r == _fifo[6];
        _terminal = false;
        if (!last)
            _r++;
        else
        {
            _r = 1;
            if (multi && Head == 0)
            {
                _h ^= 1;
                _fifo[1] |= HeadBit;
                last = false;
            }
            else
            {
                _c++;
                if (multi)
                    _h ^= 1;
            }
        }
        if (terminal || deleted)
            Finish(0, 0, deleted ? FloppyStatus.ControlMark : (byte)0);
        else if (last && Code == FloppyCommand.VERIFY)
            Finish(0, 0, 0);
        else if (last)
            Finish(FloppyStatus.Abnormal, FloppyStatus.EndOfCylinder, 0);
        else
            return true;
        return false;
    }

    private void ReadId(FloppyDrive? drive)
    {
        if (drive is not { Medium: not null, Geometry: { } geometry } || geometry.Rate != (FloppyRate)(_dsr & 3) || drive.Track >= geometry.Tracks || Head >= geometry.Heads)
        {
            (_c, _h, _r) = (_cylinder[_fifo[1] & 3], (byte)Head, 1);
            Finish(FloppyStatus.Abnormal, FloppyStatus.MissingMark, 0);
            return;
        }
        _turned = (byte)(_turned % geometry.Sectors + 1);
        (_c, _h, _r) = ((byte)drive.Track, (byte)Head, _turned);
        Finish(0, 0, 0);
    }

    private void Finish(byte st0, byte st1, byte st2)
    {
        Answer((byte)(st0 | _fifo[1] & 7), st1, st2, _c, _h, _r, SizeCode);
        Interrupt(true);
    }
}
