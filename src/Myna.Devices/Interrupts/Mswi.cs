using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Interrupts;

/// <summary>
/// Machine-level software interrupts (RISC-V ACLINT specification 1.0, section 3): a register MSIP per hart, whose bit 0
/// is the hart's mip.MSIP. The low 16 KiB of a SiFive CLINT.
/// </summary>
[Stateful("aclint-mswi")]
public sealed partial class Mswi : IMmio
{
    private readonly Lock _lock = new();
    [NotSaved("wiring")] private readonly InterruptLine[] _lines;
    [Saved(1)] private readonly bool[] _msip;

    /// <param name="lines">The machine software interrupt of each hart.</param>
    public Mswi(InterruptLine[] lines)
    {
        _lines = lines;
        _msip = new bool[lines.Length];
    }

    /// <summary>Bytes of registers.</summary>
    public const ulong RegisterSize = 0x4000;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        if (size != 4)
            return false;
        ulong hart = offset / 4;
        lock (_lock)
            value = hart < (ulong)_msip.Length && _msip[hart] ? 1u : 0u;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (size != 4)
            return false;
        ulong hart = offset / 4;
        if (hart >= (ulong)_msip.Length)
            return true;
        lock (_lock)
        {
            _msip[hart] = (value & 1) != 0;
            _lines[hart].Set(_msip[hart]);
        }
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        Array.Clear(_msip);
        Sync();
    }

    private void Sync()
    {
        for (int hart = 0; hart < _msip.Length; hart++)
            _lines[hart].Set(_msip[hart]);
    }
}
