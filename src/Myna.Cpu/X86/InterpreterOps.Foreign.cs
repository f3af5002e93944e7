using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Operations of <see cref="IOps{T}"/> that no x86 instruction uses.</summary>
internal ref partial struct InterpreterOps
{
    private static NotSupportedException Foreign() => new("no x86 instruction uses this operation");

    public readonly ulong GetFloat(int slot) => throw Foreign();
    public readonly void SetFloat(int slot, ulong value) => throw Foreign();
    public readonly ulong OrCombineBytes(ulong a) => throw Foreign();
    public readonly ulong ClMul(ulong a, ulong b) => throw Foreign();
    public readonly ulong ClMulHigh(ulong a, ulong b) => throw Foreign();
    public readonly bool LoadFloat(ulong address, FloatSize size, out ulong value) => throw Foreign();
    public readonly bool StoreFloat(ulong address, FloatSize size, ulong value) => throw Foreign();
    public readonly bool Atomic(AtomicOp op, ulong address, MemSize size, ulong operand, out ulong old) => throw Foreign();
    public readonly bool LoadReserved(ulong address, MemSize size, out ulong value) => throw Foreign();
    public readonly bool StoreConditional(ulong address, MemSize size, ulong value, out ulong failed) => throw Foreign();
    public readonly ulong UnboxF32(ulong register) => throw Foreign();
    public readonly ulong BoxF32(ulong value) => throw Foreign();
    public readonly ulong FloatToBits(ulong value, FloatSize size) => throw Foreign();
    public readonly ulong BitsToFloat(ulong bits, FloatSize size) => throw Foreign();
    public readonly ulong FAdd(FloatSize size, ulong a, ulong b, Rounding rounding) => throw Foreign();
    public readonly ulong FSub(FloatSize size, ulong a, ulong b, Rounding rounding) => throw Foreign();
    public readonly ulong FMul(FloatSize size, ulong a, ulong b, Rounding rounding) => throw Foreign();
    public readonly ulong FDiv(FloatSize size, ulong a, ulong b, Rounding rounding) => throw Foreign();
    public readonly ulong FSqrt(FloatSize size, ulong a, Rounding rounding) => throw Foreign();
    public readonly ulong FMulAdd(FloatSize size, ulong a, ulong b, ulong c, bool negateProduct, bool negateAddend, Rounding rounding) => throw Foreign();
    public readonly ulong FMin(FloatSize size, ulong a, ulong b) => throw Foreign();
    public readonly ulong FMax(FloatSize size, ulong a, ulong b) => throw Foreign();
    public readonly ulong FCompare(FloatSize size, FloatCompare compare, ulong a, ulong b) => throw Foreign();
    public readonly ulong FSignCopy(FloatSize size, ulong a, ulong b) => throw Foreign();
    public readonly ulong FSignNot(FloatSize size, ulong a, ulong b) => throw Foreign();
    public readonly ulong FSignXor(FloatSize size, ulong a, ulong b) => throw Foreign();
    public readonly ulong FClass(FloatSize size, ulong a) => throw Foreign();
    public readonly ulong FToInt(FloatSize size, IntFormat to, ulong a, Rounding rounding) => throw Foreign();
    public readonly ulong FFromInt(FloatSize size, IntFormat from, ulong a, Rounding rounding) => throw Foreign();
    public readonly ulong FConvert(FloatSize from, FloatSize to, ulong a, Rounding rounding) => throw Foreign();
}
