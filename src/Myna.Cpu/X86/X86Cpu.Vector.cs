using Myna.Cpu.X86.Instructions;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>What vector instructions need of the CPU's state.</summary>
public sealed partial class X86Cpu
{
    /// <summary>Why an SSE or AVX instruction does not execute, though it would exist (Intel SDM volume 3, table 14-1; volume 2, table 2-21).</summary>
    internal Vector VectorUnavailable(bool avx)
    {
        if (avx)
        {
            bool enabled = Flags.Protected && (_cr4 & Cr4.OSXSAVE) != 0 && (_xcr0 & 6) == 6;
            return enabled ? Vector.NM : Vector.UD;
        }
        return (_cr0 & Cr0.EM) != 0 || (_cr4 & Cr4.OSFXSR) == 0 ? Vector.UD : Vector.NM;
    }

    /// <summary>What an unmasked SIMD floating-point exception raises.</summary>
    internal Vector SimdException => (_cr4 & Cr4.OSXMMEXCPT) != 0 ? Vector.XM : Vector.UD;

    /// <summary>Sets MXCSR, whose undefined bits are zero; true when <see cref="Flags"/> have changed by that.</summary>
    internal bool SetMxcsr(uint value)
    {
        BlockFlags before = Flags;
        Block.Context.Mxcsr = value;
        UpdateFlags();
        return Flags != before;
    }

    /// <summary>
    /// Loads an element for a gather, or delivers the fault. When other elements have arrived before and a single step or their data breakpoints
    /// are due, #DB comes instead, at the instruction and with RF set, so that it goes on behind them (Intel SDM volume 2, VPGATHERDD).
    /// </summary>
    internal bool GatherElement(SegmentRegister segment, ulong offset, MemSize size, bool behind, out ulong value)
    {
        ulong due = _debugPending | (_steppedTrap ? Debug.BS : 0);
        value = 0;
        int mode = DataMode == MmuMode.UserAligned ? MmuMode.User : DataMode;
        if (TryCheckSegment(segment, offset, 1 << (int)size, write: false, out ulong linear) && TryLoad(linear, size, mode, out value))
            return true;
        if (!behind || due == 0 || _abandoned)
            return Delivered();
        State.OtherFlags |= RFlag.RF;
        _debugPending = due;
        DeliverPendingDebug();
        return false;
    }
}
