using Myna.Hardware.Backends;
using Myna.Hardware.Firmware;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Serial;

/// <summary>
/// A 16550A UART (National Semiconductor PC16550D data sheet, section 8) with registers one byte apart. Transmission
/// takes no time: the transmitter is always empty again when the guest looks.
/// </summary>
[Stateful("uart16550")]
public sealed partial class Uart16550 : IMmio, ICharFrontend, IPlatformDevice, IFirmwareConsole
{
    private const int RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7;
    private const byte IER_ERBFI = 1, IER_ETBEI = 2, IER_ELSI = 4, IER_EDSSI = 8;
    private const byte IIR_NONE = 1, IIR_MSR = 0, IIR_THRE = 2, IIR_RDA = 4, IIR_LSR = 6, IIR_TIMEOUT = 0xc, IIR_FIFO = 0xc0;
    private const byte FCR_ENABLE = 1, FCR_RESET_RX = 2, FCR_RESET_TX = 4;
    private const byte LCR_DLAB = 0x80;
    private const byte MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10;
    private const byte LSR_DR = 1, LSR_OE = 2, LSR_THRE = 0x20, LSR_TEMT = 0x40, LSR_ERRORS = 0x1e;
    private const byte MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80;

    private const int FifoSize = 16;

    /// <summary>Output waits this long (ns) for more of it, so that the host is not asked once per byte.</summary>
    private const ulong FlushDelay = 500_000;

    private readonly Lock _lock = new();
    private readonly Clock _clock;
    private readonly uint _inputHertz;
    private readonly InterruptLine _irq;
    private readonly ICharBackend? _backend;
    private readonly ClockTimer _timeoutTimer;
    private readonly ClockTimer _flushTimer;
    private readonly Lock _outputLock = new();

    [Saved(1)] private byte _ier;
    [Saved(2)] private byte _fcr;
    [Saved(3)] private byte _lcr;
    [Saved(4)] private byte _mcr;
    [Saved(5)] private byte _lsrErrors;
    [Saved(6)] private byte _msrDelta;
    [Saved(7)] private byte _scr;
    [Saved(8)] private byte _dll = 1;
    [Saved(9)] private byte _dlm;
    [Saved(10)] private bool _threPending;
    [Saved(11)] private bool _timeoutPending;
    [Saved(12)] private readonly byte[] _fifo = new byte[FifoSize];
    [Saved(13)] private byte _fifoHead;
    [Saved(14)] private byte _fifoCount;
    [NotSaved("flushed before a save, and whenever the guest pauses")] private readonly byte[] _output = new byte[1024];
    [NotSaved("as _output")] private int _outputCount;
    [NotSaved("as _output")] private bool _flushArmed;

    /// <param name="inputHertz">Frequency of the clock input; the divisor latch divides it by 16 times itself.</param>
    public Uart16550(Clock clock, uint inputHertz, InterruptLine irq, ICharBackend? backend)
    {
        _clock = clock;
        _inputHertz = inputHertz;
        _irq = irq;
        _backend = backend;
        _timeoutTimer = clock.CreateTimer(ReceiveTimeout);
        _flushTimer = clock.CreateTimer(Flush);
        backend?.Attach(this);
    }

    /// <inheritdoc/>
    public string NodeName => "serial";

    /// <inheritdoc/>
    public ulong Size => 0x100;

    /// <inheritdoc/>
    public int ReceiveCapacity
    {
        get
        {
            lock (_lock)
                return (_mcr & MCR_LOOP) != 0 ? 0 : Depth - _fifoCount;
        }
    }

    private bool FifosEnabled => (_fcr & FCR_ENABLE) != 0;
    private int Depth => FifosEnabled ? FifoSize : 1;
    private int Trigger => FifosEnabled ? (_fcr >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 } : 1;
    private bool Dlab => (_lcr & LCR_DLAB) != 0;

    /// <inheritdoc/>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            if ((_mcr & MCR_LOOP) != 0)
                return;
            foreach (byte b in bytes)
                Push(b);
            Update();
        }
    }

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        bool ready = false;
        lock (_lock)
        {
            switch (offset)
            {
                case RBR_THR when Dlab: value = _dll; break;
                case IER when Dlab: value = _dlm; break;
                case RBR_THR:
                    value = Pop(out ready);
                    break;
                case IER: value = _ier; break;
                case IIR_FCR:
                    byte iir = Identify();
                    if (iir == IIR_THRE)
                        _threPending = false;
                    value = (byte)(iir | (FifosEnabled ? IIR_FIFO : 0));
                    break;
                case LCR: value = _lcr; break;
                case MCR: value = _mcr; break;
                case LSR:
                    value = (byte)(LSR_THRE | LSR_TEMT | _lsrErrors | (_fifoCount != 0 ? LSR_DR : 0));
                    _lsrErrors = 0;
                    break;
                case MSR:
                    value = (byte)(ModemLines() | _msrDelta);
                    _msrDelta = 0;
                    break;
                case SCR: value = _scr; break;
                default: value = 0; break;
            }
            Update();
        }
        if (ready)
            _backend?.ReceiveReady();
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        // A full output buffer is emptied outside the lock; another CPU may have filled it again by then.
        bool ready;
        while (!TryWrite(offset, (byte)value, out ready))
            Flush();
        if (ready)
            _backend?.ReceiveReady();
        return true;
    }

    private bool TryWrite(ulong offset, byte data, out bool ready)
    {
        ready = false;
        lock (_lock)
        {
            switch (offset)
            {
                case RBR_THR when Dlab: _dll = data; break;
                case IER when Dlab: _dlm = data; break;
                case RBR_THR:
                    if (_outputCount == _output.Length)
                        return false;
                    Transmit(data);
                    break;
                case IER:
                    // Enabling the interrupt while the holding register is empty raises it (section 8.6.7 in practice of
                    // every driver; Linux tests for it at start-up).
                    if ((data & IER_ETBEI) != 0 && (_ier & IER_ETBEI) == 0)
                        _threPending = true;
                    _ier = (byte)(data & 0xf);
                    break;
                case IIR_FCR:
                    ready = WriteFcr(data);
                    break;
                case LCR: _lcr = data; break;
                case MCR:
                    byte before = ModemLines();
                    ready = (_mcr & ~data & MCR_LOOP) != 0;
                    _mcr = (byte)(data & 0x1f);
                    NoteModemChange(before, ModemLines());
                    break;
                case SCR: _scr = data; break;
            }
            Update();
        }
        return true;
    }

    /// <summary>Hands what the guest has written so far to the back end.</summary>
    public void Flush()
    {
        // Two locks, so that a back end that takes its time does not hold up the guest's reads, and bytes stay in order.
        lock (_outputLock)
        {
            Span<byte> bytes = stackalloc byte[1024];
            int count;
            lock (_lock)
            {
                count = _outputCount;
                _output.AsSpan(0, count).CopyTo(bytes);
                _outputCount = 0;
                _flushArmed = false;
            }
            if (count != 0)
                _backend?.Write(bytes[..count]);
        }
    }

    /// <inheritdoc/>
    public void ConsoleWrite(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            lock (_lock)
            {
                int count = Math.Min(bytes.Length, _output.Length - _outputCount);
                bytes[..count].CopyTo(_output.AsSpan(_outputCount));
                _outputCount += count;
                bytes = bytes[count..];
                ArmFlush();
            }
            if (!bytes.IsEmpty)
                Flush();
        }
    }

    /// <inheritdoc/>
    public int ConsoleRead(Span<byte> bytes)
    {
        int count = 0;
        bool ready = false;
        lock (_lock)
        {
            while (count < bytes.Length && _fifoCount != 0)
            {
                bytes[count++] = Pop(out bool empty);
                ready |= empty;
            }
            Update();
        }
        if (ready)
            _backend?.ReceiveReady();
        return count;
    }

    /// <inheritdoc/>
    public void Reset()
    {
        Flush();
        lock (_lock)
        {
            _ier = _fcr = _lcr = _mcr = _lsrErrors = _msrDelta = _scr = _fifoHead = _fifoCount = _dlm = 0;
            _dll = 1;
            Array.Clear(_fifo);
            _threPending = _timeoutPending = false;
        }
        Sync();
    }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node.SetStrings("compatible", "ns16550a").SetCells("clock-frequency", _inputHertz);

    private void Sync()
    {
        lock (_lock)
        {
            _fifoHead &= FifoSize - 1;
            _fifoCount = Math.Min(_fifoCount, (byte)FifoSize);
            ArmTimeout();
            Update();
        }
        _backend?.ReceiveReady();
    }

    private void Transmit(byte data)
    {
        // The byte has left before the guest can look again: the holding register is empty and says so anew.
        _threPending = true;
        if ((_mcr & MCR_LOOP) != 0)
        {
            Push(data);
            return;
        }
        if (_backend is null)
            return;
        _output[_outputCount++] = data;
        ArmFlush();
    }

    private void ArmFlush()
    {
        if (!_flushArmed)
        {
            _flushArmed = true;
            _flushTimer.Arm(_clock.Now + FlushDelay);
        }
    }

    private bool WriteFcr(byte data)
    {
        bool toggled = ((data ^ _fcr) & FCR_ENABLE) != 0;
        bool clear = toggled || (data & FCR_RESET_RX) != 0;
        // The other bits are programmed only when bit 0 is written as 1 (section 8.6.3).
        _fcr = (data & FCR_ENABLE) != 0 ? (byte)(data & 0xc9) : (byte)0;
        if (clear)
        {
            _fifoCount = 0;
            _timeoutPending = false;
            _timeoutTimer.Cancel();
        }
        if (toggled || (data & FCR_RESET_TX) != 0)
            _threPending = true;
        return clear;
    }

    private void Push(byte data)
    {
        if (_fifoCount >= Depth)
        {
            _lsrErrors |= LSR_OE;
            return;
        }
        _fifo[(_fifoHead + _fifoCount++) & (FifoSize - 1)] = data;
        _timeoutPending = false;
        ArmTimeout();
    }

    private byte Pop(out bool ready)
    {
        byte data = _fifo[_fifoHead];
        ready = _fifoCount != 0;
        if (ready)
        {
            _fifoHead = (byte)((_fifoHead + 1) & (FifoSize - 1));
            _fifoCount--;
            _timeoutPending = false;
            ArmTimeout();
            // Ask for more when the FIFO is empty, not at every byte; loopback takes none from outside.
            ready = _fifoCount == 0 && (_mcr & MCR_LOOP) == 0;
        }
        return data;
    }

    /// <summary>Four character times without a byte coming or going (section 8.6.4), while fewer than the trigger wait.</summary>
    private void ArmTimeout()
    {
        if (!FifosEnabled || _fifoCount == 0 || _fifoCount >= Trigger || _timeoutPending)
        {
            _timeoutTimer.Cancel();
            return;
        }
        uint divisor = Math.Max(1u, (uint)(_dlm << 8 | _dll));
        uint bits = 1u + 5u + (_lcr & 3u) + ((_lcr & 8u) != 0 ? 1u : 0) + ((_lcr & 4u) != 0 ? 2u : 1u);
        ulong wait = 4ul * bits * 16 * divisor * 1_000_000_000 / Math.Max(1, _inputHertz);
        _timeoutTimer.Arm(_clock.Now + wait);
    }

    private void ReceiveTimeout()
    {
        lock (_lock)
        {
            if (FifosEnabled && _fifoCount != 0 && _fifoCount < Trigger)
            {
                _timeoutPending = true;
                Update();
            }
        }
    }

    /// <summary>The state of the modem's inputs: a terminal that is always there, or our own outputs in loopback.</summary>
    private byte ModemLines()
    {
        if ((_mcr & MCR_LOOP) == 0)
            return MSR_CTS | MSR_DSR | MSR_DCD;
        return (byte)(((_mcr & MCR_RTS) != 0 ? MSR_CTS : 0) | ((_mcr & MCR_DTR) != 0 ? MSR_DSR : 0)
            | ((_mcr & MCR_OUT1) != 0 ? MSR_RI : 0) | ((_mcr & MCR_OUT2) != 0 ? MSR_DCD : 0));
    }

    private void NoteModemChange(byte before, byte after)
    {
        int changed = (before ^ after) & (MSR_CTS | MSR_DSR | MSR_DCD);
        // TERI: the ring indicator reports its trailing edge only.
        changed |= before & ~after & MSR_RI;
        _msrDelta |= (byte)(changed >> 4);
    }

    private byte Identify()
    {
        if ((_ier & IER_ELSI) != 0 && (_lsrErrors & LSR_ERRORS) != 0)
            return IIR_LSR;
        if ((_ier & IER_ERBFI) != 0)
        {
            if (_fifoCount >= Trigger)
                return IIR_RDA;
            if (_timeoutPending && _fifoCount != 0)
                return IIR_TIMEOUT;
        }
        if ((_ier & IER_ETBEI) != 0 && _threPending)
            return IIR_THRE;
        return (_ier & IER_EDSSI) != 0 && _msrDelta != 0 ? IIR_MSR : IIR_NONE;
    }

    private void Update() => _irq.Set(Identify() != IIR_NONE);
}
