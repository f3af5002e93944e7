using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Timers;

/// <summary>
/// Machine-level timer (RISC-V ACLINT specification 1.0, section 2): MTIMECMP per hart at 0, MTIME at 0x7ff8. The part of
/// a SiFive CLINT from 0x4000 on.
/// DEVIATION: MTIME cannot be written and a reset does not clear it; it is the machine's clock, which the harts' time CSR
/// shows too.
/// </summary>
[Stateful("aclint-mtimer")]
public sealed partial class Mtimer : IMmio
{
    /// <summary>Bytes of registers.</summary>
    public const ulong RegisterSize = 0x8000;

    private const ulong MTIME = 0x7ff8;
    private readonly Lock _lock = new();
    private readonly Clock _clock;
    private readonly ulong _hertz;
    [NotSaved("wiring")] private readonly InterruptLine[] _lines;
    [NotSaved("armed by Sync")] private readonly ClockTimer[] _timers;
    [Saved(1)] private readonly ulong[] _mtimecmp;

    /// <param name="hertz">Frequency of MTIME.</param>
    /// <param name="lines">The machine timer interrupt of each hart.</param>
    public Mtimer(Clock clock, ulong hertz, InterruptLine[] lines)
    {
        _clock = clock;
        _hertz = hertz;
        _lines = lines;
        _mtimecmp = new ulong[lines.Length];
        _timers = new ClockTimer[lines.Length];
        for (int i = 0; i < lines.Length; i++)
        {
            int hart = i;
            _timers[i] = clock.CreateTimer(() => Update(hart));
        }
        Reset();
    }

    /// <summary>MTIME, in ticks.</summary>
    public ulong Time => Clock.ToTicks(_clock.Now, _hertz);

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        if (size < 4)
            return false;
        ulong register = offset & ~7ul;
        if (register == MTIME)
            value = Time;
        else if (register / 8 < (ulong)_mtimecmp.Length)
        {
            lock (_lock)
                value = _mtimecmp[register / 8];
        }
        if (size == 4)
            value = (offset & 4) != 0 ? value >> 32 : (uint)value;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (size < 4)
            return false;
        int hart = (int)(offset / 8);
        if (hart >= _mtimecmp.Length)
            return true;
        lock (_lock)
        {
            ulong old = _mtimecmp[hart];
            _mtimecmp[hart] = size == 8 ? value
                : (offset & 4) != 0 ? (old & 0xffff_ffff) | (value << 32)
                : (old & ~0xffff_fffful) | (uint)value;
            Update(hart);
        }
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        // The specification leaves MTIMECMP undefined; all ones keeps the interrupt away until someone asks for it.
        Array.Fill(_mtimecmp, ulong.MaxValue);
        Sync();
    }

    private void Sync()
    {
        for (int hart = 0; hart < _lines.Length; hart++)
            Update(hart);
    }

    private void Update(int hart)
    {
        lock (_lock)
        {
            bool due = Time >= _mtimecmp[hart];
            _lines[hart].Set(due);
            if (due || _mtimecmp[hart] == ulong.MaxValue)
                _timers[hart].Cancel();
            else
                _timers[hart].Arm(Clock.FromTicks(_mtimecmp[hart], _hertz));
        }
    }
}
