using Myna.Devices.Ports;
using Myna.Hardware.Interrupts;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Timers;

/// <summary>
/// Intel 8254 programmable interval timer (datasheet order 231164) as a PC has it: three counters at 1.193182 MHz, ports 40h
/// to 43h; OUT of counter 0 is IRQ 0, counter 1 was for memory refresh, gate and OUT of counter 2 are at port 61h.
/// DEVIATION: interrupts that follow each other within 20 µs coalesce, and those that the host slept through are not made up for.
/// </summary>
[Stateful("i8254")]
public sealed partial class I8254 : IPortDevice
{
    /// <summary>Hertz of CLK.</summary>
    public const ulong Frequency = 1_193_182;

    // Nanoseconds.
    private const ulong MinimumPeriod = 20_000;

    // The counters' time at the clock's zero: cycles that began before it have room.
    private const ulong Origin = 1 << 20;

    private readonly Lock _lock = new();
    private readonly Clock _clock;
    private readonly InterruptLine _irq;
    private readonly ClockTimer _timer;

    [Saved(1)] private readonly PitCounter[] _counters = [new(), new(), new()];

    /// <param name="irq">IRQ 0, OUT of counter 0.</param>
    public I8254(Clock clock, InterruptLine irq)
    {
        _clock = clock;
        _irq = irq;
        _timer = clock.CreateTimer(Expire);
        Ports = new PortBlock(this, 0, 4);
        Reset();
    }

    /// <summary>Ports 40h to 43h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Ports { get; }

    [NotSaved("how the CPUs are run")] private volatile bool _hosted;

    /// <summary>The host's kernel, if it takes the timer over.</summary>
    [field: NotSaved("how the CPUs are run")]
    public IInterruptHost? Host { get; set; }

    /// <summary>Gives the registers away until <see cref="TakeBack"/>.</summary>
    public PitChannel[] HandOver()
    {
        lock (_lock)
        {
            ulong now = Now;
            PitChannel[] channels = [.. _counters.Select(c => c.ToChannel(now))];
            _hosted = true;
            _timer.Cancel();
            _irq.Set(false);
            return channels;
        }
    }

    /// <summary>Takes the registers back.</summary>
    public void TakeBack(ReadOnlySpan<PitChannel> channels)
    {
        lock (_lock)
        {
            ulong now = Now;
            for (int i = 0; i < 3; i++)
                _counters[i].Take(channels[i], now);
            _hosted = false;
            Update(now);
        }
    }

    private void Recall()
    {
        if (_hosted)
            Host?.Recall();
    }

    /// <summary>Is told before the output of counter 2 goes another way than it would by itself.</summary>
    [field: NotSaved("wiring")]
    internal Action? SpeakerChanging { get; set; }

    /// <summary>Counter 2 goes on changing its output by itself.</summary>
    internal bool IsTone
    {
        get
        {
            Recall();
            lock (_lock)
                return _counters[2].Mode is 2 or 3 && _counters[2].NextChange(Now) != ulong.MaxValue;
        }
    }

    /// <summary>How much of each of consecutive periods OUT of counter 2 is high.</summary>
    /// <param name="first">The first period's number since the clock's zero.</param>
    /// <param name="hertz">Periods a second.</param>
    /// <param name="high">In 1/8.</param>
    internal void MeasureOut2(ulong first, ulong hertz, Span<byte> high)
    {
        const int Parts = 8;
        lock (_lock)
        {
            for (int i = 0; i < high.Length; i++)
            {
                ulong part = (first + (uint)i) * Parts;
                byte sum = 0;
                for (uint k = 0; k < Parts; k++)
                    sum += _counters[2].Out((ulong)((UInt128)(part + k) * Frequency / (hertz * Parts)) + Origin) ? (byte)1 : (byte)0;
                high[i] = sum;
            }
        }
    }

    /// <summary>GATE of counter 2.</summary>
    public bool Gate2
    {
        get
        {
            Recall();
            lock (_lock)
                return _counters[2].Gate;
        }
        set
        {
            Recall();
            SpeakerChanging?.Invoke();
            lock (_lock)
                _counters[2].SetGate(value, Now);
        }
    }

    /// <summary>OUT of counter 2.</summary>
    public bool Out2
    {
        get
        {
            Recall();
            lock (_lock)
                return _counters[2].Out(Now);
        }
    }

    private ulong Now => Clock.ToTicks(_clock.Now, Frequency) + Origin;

    byte IPortDevice.ReadPort(int block, int offset)
    {
        Recall();
        lock (_lock)
            return offset < 3 ? _counters[offset].Read(Now) : (byte)0xff;
    }

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        Recall();
        if (offset == 2 || (offset == 3 && value >> 6 == 2))
            SpeakerChanging?.Invoke();
        lock (_lock)
        {
            ulong now = Now;
            if (offset < 3)
            {
                _counters[offset].Write(value, now);
                if (offset == 0)
                    Update(now);
                return;
            }
            int counter = value >> 6;
            if (counter == 3)
            {
                ReadBack(value, now);
            }
            else if ((value & 0x30) == 0)
            {
                _counters[counter].LatchCount(now);
            }
            else
            {
                _counters[counter].WriteControl(value);
                if (counter == 0)
                    Update(now);
            }
        }
    }

    /// <summary>Power-on state: the counters stand until they are programmed; the gate of counter 2 is low.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            for (int i = 0; i < 3; i++)
                _counters[i].Reset(gate: i != 2);
        }
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
            Update(Now);
    }

    /// <summary>The read-back command: bit 5 low latches counts, bit 4 low latches status.</summary>
    private void ReadBack(byte command, ulong now)
    {
        for (int i = 0; i < 3; i++)
        {
            if ((command >> (i + 1) & 1) == 0)
                continue;
            if ((command & 0x20) == 0)
                _counters[i].LatchCount(now);
            if ((command & 0x10) == 0)
                _counters[i].LatchStatus(now);
        }
    }

    private void Expire()
    {
        lock (_lock)
        {
            if (_hosted)
                return;
            ulong now = Now;
            // In modes 2 and 4 OUT was low for one pulse.
            if (_counters[0].Mode is 2 or 4)
                _irq.Set(false);
            Update(now);
        }
    }

    private void Update(ulong now)
    {
        PitCounter counter = _counters[0];
        // The pulse of modes 2 and 4 is too short to be seen; what matters is that it ends.
        _irq.Set(counter.Mode is 2 or 4 || counter.Out(now));
        ulong next = counter.NextChange(now);
        if (next == ulong.MaxValue)
        {
            _timer.Cancel();
            return;
        }
        // A damaged stream must not make it stand still.
        ulong deadline = Clock.FromTicks(next > now ? next - Origin : now - Origin + 24, Frequency);
        _timer.Arm(counter.IsFast ? Math.Max(deadline, _clock.Now + MinimumPeriod) : deadline);
    }
}
