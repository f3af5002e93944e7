using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Myna.Cpu.RiscV;

/// <summary>
/// The registers that generated code reaches, at fixed offsets in the CPU's block. A slot of the operations
/// (<c>IOps&lt;T&gt;.Get</c>) is a byte offset in here.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct RiscVRegisters
{
    /// <summary>x0 to x31; x0 is always zero.</summary>
    public RegisterFile X;

    /// <summary>f0 to f31 as raw bits; single-precision values are NaN-boxed.</summary>
    public RegisterFile F;

    /// <summary>Slot of an integer register.</summary>
    public static int SlotX(int register) => register * sizeof(ulong);

    /// <summary>Slot of a floating-point register.</summary>
    public static int SlotF(int register) => (32 + register) * sizeof(ulong);
}

/// <summary>32 registers of 64 bits.</summary>
[InlineArray(32)]
public struct RegisterFile
{
    private ulong _first;
}
