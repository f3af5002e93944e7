using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>
/// What a translation depends on besides address and code, packed as <c>GuestCpu.BlockFlags</c> wants it; the interpreter's
/// decoded instructions depend on the low three bits only.
/// </summary>
/// <param name="Bits">See the properties.</param>
public readonly record struct BlockFlags(uint Bits)
{
    /// <summary>Default operand size of code: B2, B4, or B8 for 64-bit mode (whose default operand size is 32 bits). Bits 1:0.</summary>
    public MemSize CodeSize => (MemSize)(Bits & 3);

    /// <summary>64-bit mode: EFER.LMA and CS.L.</summary>
    public bool Is64 => (Bits & 3) == (uint)MemSize.B8;

    /// <summary>The stack pointer is ESP (SS.B), else SP; not meaningful in 64-bit mode. Bit 2.</summary>
    public bool Stack32 => (Bits >> 2 & 1) != 0;

    /// <summary>
    /// CS, DS, ES and SS have base 0 and allow everything up to 4 GiB; always so in 64-bit mode. Bit 3.
    /// DEVIATION: in protected mode, limits and rights of FS and GS are not looked at then, nor that CS is not writable.
    /// </summary>
    public bool Flat => (Bits >> 3 & 1) != 0;

    /// <summary>CPL is 3. Bit 4.</summary>
    public bool User => (Bits >> 4 & 1) != 0;

    /// <summary>Soft-TLB of data accesses (<see cref="MmuMode"/>). Bits 6:5.</summary>
    public int DataMode => (int)(Bits >> 5 & 3);

    /// <summary>RFLAGS.DF. Bit 7.</summary>
    public bool Backward => (Bits >> 7 & 1) != 0;

    /// <summary>x87 and MMX instructions execute: CR0.EM and CR0.TS are 0. Bit 8.</summary>
    public bool X87On => (Bits >> 8 & 1) != 0;

    /// <summary>Legacy SSE instructions execute: CR4.OSFXSR, not CR0.EM, not CR0.TS. Bit 9.</summary>
    public bool SseOn => (Bits >> 9 & 1) != 0;

    /// <summary>AVX instructions execute: CR4.OSXSAVE, XCR0 has SSE and AVX, not CR0.TS, protected mode. Bit 10.</summary>
    public bool AvxOn => (Bits >> 10 & 1) != 0;

    /// <summary>All SIMD floating-point exceptions are masked in MXCSR. Bit 11.</summary>
    public bool SimdMasked => (Bits >> 11 & 1) != 0;

    /// <summary>
    /// Every instruction needs a look that translations do not give it: RFLAGS.TF, enabled
    /// instruction breakpoints. The CPU then steps from instruction to instruction; engines need not look. Bit 12.
    /// </summary>
    public bool Slow => (Bits >> 12 & 1) != 0;

    /// <summary>Protected mode, not virtual-8086 mode. Bit 13.</summary>
    public bool Protected => (Bits >> 13 & 1) != 0;
}

/// <summary>Ways of translating addresses: each has a soft-TLB of its own.</summary>
public static class MmuMode
{
    /// <summary>User accesses (CPL 3).</summary>
    public const int User = 0;

    /// <summary>Supervisor accesses; with CR4.SMAP those to user pages fault.</summary>
    public const int Supervisor = 1;

    /// <summary>Supervisor accesses with RFLAGS.AC set: SMAP does not apply.</summary>
    public const int SupervisorUserMemory = 2;

    /// <summary>
    /// User accesses with alignment checks (CR0.AM, RFLAGS.AC, CPL 3). Its soft-TLB stays empty, so that every access comes to the slow path.
    /// </summary>
    public const int UserAligned = 3;

    public const int Count = 4;
}
