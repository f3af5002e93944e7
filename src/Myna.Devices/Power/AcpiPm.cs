using Myna.Devices.Ports;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Power;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Power;

/// <summary>
/// Power management registers of an ICH9 (ICH9 datasheet, section 13.8.3; ACPI specification 6.5, section 4.8): PM1 event
/// and control blocks, PM timer, GPE0; 128 bytes of I/O space at PMBASE. SMI_EN, SMI_STS and the TCO watchdog are storage.
/// Ports B2h and B3h (APM) switch SCI_EN, as firmware's SMI handler would.
/// Sleep types 0, 6 and 7 (S4, S5, and the S5 of older tables) switch the machine off.
/// DEVIATION: SCIs come whatever SCI_EN says, since there are no SMIs. LIMIT: no S3; it wakes at once.
/// </summary>
[Stateful("ich9-pm")]
public sealed partial class AcpiPm : IRegisterBlock, IPortDevice
{
    /// <summary>Hertz of the PM timer (ACPI 6.5, section 4.8.2.1).</summary>
    public const ulong TimerFrequency = 3_579_545;

    /// <summary>Bytes of I/O space.</summary>
    public const int RegisterSize = 0x80;

    /// <summary>What a driver writes to port B2h to enter and leave ACPI mode (FADT: ACPI_ENABLE, ACPI_DISABLE).</summary>
    public const byte AcpiEnable = 2, AcpiDisable = 3;

    /// <summary>Offsets of the blocks, for ACPI's FADT.</summary>
    public const int PM1_STS = 0x00, PM1_EN = 0x02, PM1_CNT = 0x04, PM_TMR = 0x08, GPE0_STS = 0x20, GPE0_EN = 0x28, GPE0_LEN = 0x10;

    private const int SMI_EN = 0x30, SMI_STS = 0x34, TCO = 0x60;

    // Bits of PM1_STS and PM1_EN.
    private const int TMROF = 1 << 0, GBL = 1 << 5, PWRBTN = 1 << 8, RTC = 1 << 10, WAK = 1 << 15;
    private const int EnableBits = TMROF | GBL | PWRBTN | RTC;
    private const int SCI_EN = 1 << 0, SLP_EN = 1 << 13, ControlBits = 0x1c03;

    private readonly Lock _lock = new();
    private readonly Clock _clock;
    private readonly InterruptLine _sci;
    private readonly IPowerControl _power;
    private readonly ClockTimer _timer;
    [NotSaved("decided by the construction")] private readonly int _halfPeriod;

    [Saved(1)] private ushort _pm1Status;
    [Saved(2)] private ushort _pm1Enable;
    [Saved(3)] private ushort _pm1Control;

    // GPE0_STS, then GPE0_EN.
    [Saved(4)] private readonly byte[] _gpe = new byte[GPE0_LEN];

    // SMI_EN, SMI_STS and TCO, at their offsets.
    [Saved(5)] private readonly byte[] _storage = new byte[RegisterSize];
    [Saved(6)] private readonly byte[] _apm = new byte[2];

    // Changes of the timer's top bit that have been noticed.
    [Saved(7)] private ulong _halves;

    /// <param name="sci">The system control interrupt, a level.</param>
    /// <param name="power">Switches the machine off.</param>
    /// <param name="wideTimer">32 bits rather than 24: TMR_VAL_EXT of the FADT.</param>
    public AcpiPm(Clock clock, InterruptLine sci, IPowerControl power, bool wideTimer = true)
    {
        _clock = clock;
        _sci = sci;
        _power = power;
        _halfPeriod = wideTimer ? 31 : 23;
        _timer = clock.CreateTimer(Expire);
        Apm = new PortBlock(this, 0, 2);
        Reset();
    }

    /// <inheritdoc/>
    public IStateful Owner => this;

    /// <inheritdoc/>
    public ulong Size => RegisterSize;

    /// <summary>Ports B2h and B3h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Apm { get; }

    private ulong Ticks => Clock.ToTicks(_clock.Now, TimerFrequency);

    /// <summary>The user presses the power button.</summary>
    public void PressPowerButton()
    {
        lock (_lock)
        {
            _pm1Status |= PWRBTN;
            Update();
        }
    }

    /// <summary>A general-purpose event of block 0, 0 to 63: its status bit is set.</summary>
    public void SignalEvent(int gpe)
    {
        lock (_lock)
        {
            _gpe[gpe >> 3 & 7] |= (byte)(1 << (gpe & 7));
            Update();
        }
    }

    /// <summary>The I/O space at PMBASE. Parameters as for <see cref="Myna.Hardware.Memory.IMmio.Read"/>, at any alignment.</summary>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        lock (_lock)
        {
            Advance();
            // One time for all bytes.
            ulong timer = Ticks & (2ul << _halfPeriod) - 1;
            for (int i = 0; i < size; i++)
                value |= (ulong)ReadByte((int)offset + i, timer) << i * 8;
        }
        return true;
    }

    /// <inheritdoc cref="Read"/>
    public bool Write(ulong offset, int size, ulong value)
    {
        bool off = false;
        lock (_lock)
        {
            Advance();
            for (int i = 0; i < size; i++)
                off |= WriteByte((int)offset + i, (byte)(value >> i * 8));
            Update();
        }
        if (off)
            _power.PowerOff(0);
        return true;
    }

    byte IPortDevice.ReadPort(int block, int offset)
    {
        lock (_lock)
            return _apm[offset];
    }

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        lock (_lock)
            WriteApm(offset, value);
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _pm1Status = _pm1Enable = _pm1Control = 0;
            Array.Clear(_gpe);
            Array.Clear(_storage);
            // APMC_EN: firmware takes it for SMM that has been set up, and leaves it alone.
            _storage[SMI_EN] = 1 << 5;
            Array.Clear(_apm);
            _halves = Ticks >> _halfPeriod;
        }
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
            Update();
    }

    private byte ReadByte(int offset, ulong timer)
    {
        int shift = (offset & 1) * 8;
        return offset switch
        {
            < PM1_EN => (byte)(_pm1Status >> shift),
            < PM1_CNT => (byte)(_pm1Enable >> shift),
            < PM1_CNT + 2 => (byte)(_pm1Control >> shift),
            >= PM_TMR and < PM_TMR + 4 => (byte)(timer >> (offset & 3) * 8),
            >= GPE0_STS and < GPE0_STS + GPE0_LEN => _gpe[offset - GPE0_STS],
            _ => _storage[offset],
        };
    }

    /// <returns>The machine is to be switched off.</returns>
    private bool WriteByte(int offset, byte value)
    {
        int shift = (offset & 1) * 8, wide = value << shift, other = 0xff00 >> shift;
        switch (offset)
        {
            case < PM1_EN:
                _pm1Status &= (ushort)~wide;
                break;
            case < PM1_CNT:
                _pm1Enable = (ushort)((_pm1Enable & other | wide) & EnableBits);
                break;
            case < PM1_CNT + 2:
                _pm1Control = (ushort)((_pm1Control & other | wide) & ControlBits);
                return (wide & SLP_EN) != 0 && Sleep();
            case >= GPE0_STS and < GPE0_EN:
                _gpe[offset - GPE0_STS] &= (byte)~value;
                break;
            case >= GPE0_EN and < GPE0_STS + GPE0_LEN:
                _gpe[offset - GPE0_STS] = value;
                break;
            case (>= SMI_EN and < SMI_STS) or >= TCO:
                _storage[offset] = value;
                break;
        }
        return false;
    }

    private void WriteApm(int offset, byte value)
    {
        _apm[offset] = value;
        if (offset != 0)
            return;
        if (value == AcpiEnable)
            _pm1Control |= SCI_EN;
        else if (value == AcpiDisable)
            _pm1Control &= unchecked((ushort)~SCI_EN);
    }

    /// <returns>The machine is to be switched off.</returns>
    private bool Sleep()
    {
        if ((_pm1Control >> 10 & 7) is 0 or 6 or 7)
            return true;
        _pm1Status |= WAK;
        return false;
    }

    private void Expire()
    {
        lock (_lock)
        {
            Advance();
            Update();
        }
    }

    /// <summary>TMROF_STS is set whenever the top bit of the timer changes.</summary>
    private void Advance()
    {
        ulong halves = Ticks >> _halfPeriod;
        if (halves == _halves)
            return;
        _halves = halves;
        _pm1Status |= TMROF;
    }

    private void Update()
    {
        bool sci = (_pm1Status & _pm1Enable & EnableBits) != 0;
        for (int i = 0; i < GPE0_LEN / 2; i++)
            sci |= (_gpe[i] & _gpe[i + GPE0_LEN / 2]) != 0;
        _sci.Set(sci);
        if ((_pm1Enable & TMROF) != 0 && (_pm1Status & TMROF) == 0)
            _timer.Arm(Clock.FromTicks(Math.Max(_halves, Ticks >> _halfPeriod) + 1 << _halfPeriod, TimerFrequency));
        else
            _timer.Cancel();
    }
}
