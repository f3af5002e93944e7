using Myna.Cpu.X86.Instructions;

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
}
