using Myna.Devices.Dma;
using Myna.Devices.Ports;
using Myna.Hardware.Backends;
using Myna.Hardware.Interrupts;
using Myna.Hardware.State;

namespace Myna.Devices.Floppy;

/// <summary>
/// Intel's 82077AA diskette controller as PCs have it, with up to two drives, by DMA or through its FIFO. Diskettes take no time to turn.
/// </summary>
/// <remarks>DEVIATION: sectors have 512 bytes and no deleted marks; a mark that WRITE DELETED DATA asks for is not kept. LIMIT: no SCAN commands, no tapes.</remarks>
[Stateful("floppy")]
public sealed partial class FloppyController : IPortDevice, IDrainable
{
    private const int MostDrives = 2, DmaChannel = 2, BaseBlock = 0, DirBlock = 1, FifoSize = 16;

    // CONFIGURE: no polling after a reset, seeks by the data commands.
    private const byte NoPolling = 0x10, ImpliedSeek = 0x40;

    private readonly Lock _lock = new();
    private readonly I8237 _dma;
    private readonly InterruptLine _irq;

    [Saved(1)] private readonly FloppyDrive[] _drives;
    [Saved(2)] private byte _dor;
    [Saved(3)] private byte _tdr;
    [Saved(4)] private byte _dsr;
    [Saved(5)] private Phase _phase;
    [Saved(6)] private readonly byte[] _fifo = new byte[FifoSize];
    [Saved(7)] private int _length;
    [Saved(8)] private int _position;
    [Saved(9)] private bool _interrupt;

    // Interrupts of seeks and of a reset, which SENSE INTERRUPT STATUS asks about: ST0 of each drive, and the drives still to be told of.
    [Saved(10)] private readonly byte[] _seekStatus = new byte[4];
    [Saved(11)] private byte _seekPending;

    // SPECIFY, CONFIGURE with LOCK, PERPENDICULAR MODE.
    [Saved(12)] private readonly byte[] _specify = new byte[2];
    [Saved(13)] private readonly byte[] _configure = new byte[2];
    [Saved(14)] private bool _locked;
    [Saved(15)] private byte _perpendicular;

    // Where the controller believes each drive's heads to be.
    [Saved(16)] private readonly byte[] _cylinder = new byte[4];

    private enum Phase : byte { Command, Execution, DataIn, DataOut, Result }

    /// <param name="interrupt">IRQ 6.</param>
    /// <param name="drives">At most two.</param>
    public FloppyController(I8237 dma, InterruptLine interrupt, params ReadOnlySpan<FloppyDrive> drives)
    {
        _dma = dma;
        _irq = interrupt;
        _drives = drives[..Math.Min(drives.Length, MostDrives)].ToArray();
        Registers = new PortBlock(this, BaseBlock, 6);
        DigitalInput = new PortBlock(this, DirBlock, 1);
        Reset();
    }

    /// <summary>Ports 3F0h to 3F5h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Registers { get; }

    /// <summary>Port 3F7h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock DigitalInput { get; }

    private FloppyDrive? Selected => Drive(_dor & 3);

    private bool InReset => (_dor & FloppyRegister.NotReset) == 0;

    /// <summary>Bit ND of SPECIFY: data goes through the FIFO.</summary>
    private bool NonDma => (_specify[1] & 1) != 0;

    /// <summary>Puts another diskette in, or takes it out; the drive's change line tells the guest.</summary>
    /// <returns>True: there is no lock.</returns>
    public bool ExchangeMedium(int drive, IBlockBackend? medium)
    {
        while (true)
        {
            Drain();
            lock (_lock)
            {
                if (_phase == Phase.Execution)
                    continue;
                _drives[drive].Exchange(medium);
                return true;
            }
        }
    }

    byte IPortDevice.ReadPort(int block, int offset)
    {
        bool go = false;
        byte value;
        lock (_lock)
        {
            value = block == DirBlock ? (byte)(0x7f | (Selected is { Changed: true } ? FloppyRegister.DSKCHG : 0)) : offset switch
            {
                FloppyRegister.DOR => _dor,
                FloppyRegister.TDR => (byte)(_tdr & 3),
                FloppyRegister.MSR => MainStatus(),
                FloppyRegister.FIFO => TakeByte(out go),
                // SRA and SRB are not there in AT mode.
                _ => (byte)0xff,
            };
        }
        if (go)
            Go();
        return value;
    }

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        bool go = false;
        lock (_lock)
        {
            switch (offset)
            {
                // CCR.
                case 0 when block == DirBlock:
                    _dsr = (byte)(_dsr & 0xfc | value & 3);
                    break;
                case FloppyRegister.DOR when block == BaseBlock:
                    byte before = _dor;
                    _dor = value;
                    if (InReset || (before & FloppyRegister.NotReset) == 0)
                        SoftReset();
                    UpdateInterrupt();
                    break;
                case FloppyRegister.TDR when block == BaseBlock:
                    _tdr = value;
                    break;
                case FloppyRegister.MSR when block == BaseBlock:
                    _dsr = (byte)(value & ~FloppyRegister.SoftwareReset);
                    if ((value & FloppyRegister.SoftwareReset) != 0)
                        SoftReset();
                    break;
                case FloppyRegister.FIFO when block == BaseBlock:
                    go = PutByte(value);
                    break;
            }
        }
        if (go)
            Go();
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _dor = _tdr = _perpendicular = 0;
            _dsr = (byte)FloppyRate.Kbps250;
            Array.Clear(_specify);
            Array.Clear(_cylinder);
            Array.Clear(_fifo);
            Array.Clear(_sector);
            (_c, _h, _r) = (0, 0, 0);
            _at = 0;
            _locked = false;
            _turned = 0;
            Array.Clear(_seekStatus);
            foreach (FloppyDrive drive in _drives)
                drive.Reset();
            SoftReset();
        }
        Sync();
    }

    private FloppyDrive? Drive(int number) => number < _drives.Length ? _drives[number] : null;

    /// <summary>Section 2.1.2: while the bit is clear nothing goes on; then the drives are polled, which is an interrupt.</summary>
    private void SoftReset()
    {
        _generation++;
        Begin();
        if (!_locked)
            (_configure[0], _configure[1]) = (0, 0);
        _interrupt = false;
        _seekPending = 0;
        if (!InReset && (_configure[0] & NoPolling) == 0)
        {
            for (int i = 0; i < 4; i++)
                _seekStatus[i] = (byte)(FloppyStatus.Polled | i);
            _seekPending = 0xf;
            _interrupt = true;
        }
        UpdateInterrupt();
    }

    private void Begin()
    {
        _phase = Phase.Command;
        _length = _position = 0;
    }

    private byte MainStatus()
    {
        if (InReset)
            return 0;
        return _phase switch
        {
            Phase.Command => (byte)(FloppyRegister.RQM | (_length == 0 ? 0 : FloppyRegister.CMDBSY)),
            Phase.Result => FloppyRegister.RQM | FloppyRegister.DIO | FloppyRegister.CMDBSY,
            Phase.DataIn => FloppyRegister.RQM | FloppyRegister.DIO | FloppyRegister.NONDMA | FloppyRegister.CMDBSY,
            Phase.DataOut => FloppyRegister.RQM | FloppyRegister.NONDMA | FloppyRegister.CMDBSY,
            _ => (byte)(FloppyRegister.CMDBSY | (NonDma ? FloppyRegister.NONDMA : 0)),
        };
    }

    /// <returns>True when execution goes on: <see cref="Go"/> is to be called.</returns>
    private bool PutByte(byte value)
    {
        if (InReset)
            return false;
        if (_phase == Phase.DataOut)
            return PutData(value);
        if (_phase != Phase.Command)
            return false;
        _fifo[_length++] = value;
        int wanted = FloppyCommand.Parameters(_fifo[0]);
        if (wanted < 0)
            Invalid();
        else if (_length == wanted + 1)
            return Execute();
        return false;
    }

    private byte TakeByte(out bool go)
    {
        go = false;
        if (InReset)
            return 0;
        if (_phase == Phase.DataIn)
            return TakeData(out go);
        if (_phase != Phase.Result)
            return 0;
        Interrupt(false);
        byte value = _fifo[_position++];
        if (_position == _length)
            Begin();
        return value;
    }

    private void Invalid() => Answer(FloppyStatus.Invalid);

    /// <summary>Begins the result phase.</summary>
    private void Answer(params ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_fifo);
        _phase = Phase.Result;
        _length = bytes.Length;
        _position = 0;
    }

    private bool Execute()
    {
        byte first = _fifo[0], code = FloppyCommand.Code(first), number = (byte)(_fifo[1] & 3);
        switch (code)
        {
            case FloppyCommand.SPECIFY:
                (_specify[0], _specify[1]) = (_fifo[1], _fifo[2]);
                Begin();
                break;
            case FloppyCommand.SENSE_DRIVE_STATUS:
                FloppyDrive? drive = Drive(number);
                Answer((byte)(FloppyStatus.AlwaysOne | _fifo[1] & 7 | (drive is { Track: 0 } ? FloppyStatus.Track0 : 0) | (drive is { WriteProtected: true } ? FloppyStatus.WriteProtected : 0)));
                break;
            case FloppyCommand.RECALIBRATE:
                // 80 steps at most; a drive that is not there never reaches track 0.
                bool arrived = Drive(number) is { } there && there.Seek(Math.Max(there.Track - 80, 0)) == 0;
                _cylinder[number] = 0;
                SeekEnds(number, (byte)(FloppyStatus.SeekEnd | number | (arrived ? 0 : FloppyStatus.Abnormal | FloppyStatus.EquipmentCheck)));
                break;
            case FloppyCommand.SEEK:
                Seek(number, (first & FloppyCommand.RelativeSeek) == 0 ? _fifo[2] : _cylinder[number] + ((first & FloppyCommand.MT >> 1) != 0 ? _fifo[2] : -_fifo[2]));
                break;
            case FloppyCommand.SENSE_INTERRUPT_STATUS:
                SenseInterrupt();
                break;
            case FloppyCommand.DUMPREG:
                Answer(_cylinder[0], _cylinder[1], _cylinder[2], _cylinder[3], _specify[0], _specify[1], (byte)(Selected?.Geometry?.Sectors ?? 0),
                    (byte)((_locked ? FloppyCommand.LockBit : 0) | _perpendicular & 0x7f), _configure[0], _configure[1]);
                break;
            case FloppyCommand.VERSION:
                Answer(0x90);
                break;
            case FloppyCommand.PERPENDICULAR_MODE:
                _perpendicular = _fifo[1];
                Begin();
                break;
            case FloppyCommand.CONFIGURE:
                (_configure[0], _configure[1]) = (_fifo[2], _fifo[3]);
                Begin();
                break;
            case FloppyCommand.LOCK:
                _locked = (first & FloppyCommand.LockBit) != 0;
                Answer((byte)(_locked ? 0x10 : 0));
                break;
            default:
                return BeginTransfer(code);
        }
        return false;
    }

    private void Seek(int number, int cylinder)
    {
        byte target = (byte)Math.Clamp(cylinder, 0, 255);
        _ = Drive(number)?.Seek(target);
        _cylinder[number] = target;
        SeekEnds(number, (byte)(FloppyStatus.SeekEnd | _fifo[1] & 7));
    }

    private void SeekEnds(int number, byte status)
    {
        _seekStatus[number] = status;
        _seekPending |= (byte)(1 << number);
        Begin();
        Interrupt(true);
    }

    private void SenseInterrupt()
    {
        if (_seekPending == 0)
        {
            Interrupt(false);
            Invalid();
            return;
        }
        int number = System.Numerics.BitOperations.TrailingZeroCount((uint)_seekPending);
        _seekPending &= (byte)~(1 << number);
        Interrupt(false);
        Answer(_seekStatus[number], _cylinder[number]);
    }

    private void Interrupt(bool level)
    {
        _interrupt = level;
        UpdateInterrupt();
    }

    /// <summary>The line floats while DMAGATE is off.</summary>
    private void UpdateInterrupt() => _irq.Set(_interrupt && (_dor & FloppyRegister.DMAGATE) != 0);

    private void Sync()
    {
        lock (_lock)
        {
            _length = Math.Clamp(_length, 0, FifoSize - 1);
            _at = Math.Clamp(_at, 0, _sector.Length - 1);
            _position = Math.Clamp(_position, 0, Math.Max(_length - 1, 0));
            // Host I/O is not saved: it had ended, and the command with it.
            if (_phase == Phase.Execution || (_phase == Phase.Result && _length == 0))
                Begin();
            UpdateInterrupt();
        }
    }
}
