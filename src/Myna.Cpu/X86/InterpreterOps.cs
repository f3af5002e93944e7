using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>
/// The operations as execution: values are integers, effects happen at once. Integer arithmetic is here, the rest in
/// the other parts.
/// </summary>
internal ref partial struct InterpreterOps : IX86Ops<ulong, Vector128<byte>>
{
    private readonly X86Cpu _cpu;
    private readonly SoftTlb _tlb;
    private readonly int _mode;
    private readonly ref X86Registers _registers;

    /// <summary>Where <see cref="Flow.Jump"/> goes, linear.</summary>
    public ulong Target;

    /// <summary>Instructions left to the limit; while one executes it is included.</summary>
    public ulong Left;

    /// <summary>The value of the context's instruction count at which the run ends.</summary>
    private readonly ulong _limit;

    public Flow Flow;

    // SIMD exceptions raised by this instruction's operations while some are unmasked.
    private uint _simdFlags;

    /// <param name="limit">The instruction count at which the run ends.</param>
    public InterpreterOps(X86Cpu cpu, ulong limit)
    {
        _cpu = cpu;
        _tlb = cpu.Block.Tlb;
        _mode = cpu.DataMode;
        _registers = ref cpu.State;
        _limit = limit;
        Mode = cpu.Flags;
        Left = limit - cpu.Block.Context.InstructionCount;
    }

    public ulong Pc { get; private set; }

    public readonly BlockFlags Mode { get; }

    /// <summary>Makes an instruction the current one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Begin(ulong pc)
    {
        Pc = pc;
        Flow = Flow.Next;
    }

    /// <summary>The instruction count now.</summary>
    public readonly ulong Retired => _limit - Left;

    public readonly bool TryConst(ulong value, out ulong constant)
    {
        constant = value;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ulong Get(int slot) => _registers.Slots[(slot >> 3) & 63];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Set(int slot, ulong value) => _registers.Slots[(slot >> 3) & 63] = value;

    public readonly ulong Field(int offset) => Get(offset);
    public readonly ulong Const(ulong value) => value;

    public readonly ulong ComputeFlags() => LazyFlags.Compute(_registers.LazyOp, _registers.LazyA, _registers.LazyB, _registers.LazyResult);

    public readonly ulong Add(ulong a, ulong b) => a + b;
    public readonly ulong Sub(ulong a, ulong b) => a - b;
    public readonly ulong Mul(ulong a, ulong b) => a * b;
    public readonly ulong MulHighS(ulong a, ulong b) => (ulong)Math.BigMul((long)a, (long)b, out _);
    public readonly ulong MulHighU(ulong a, ulong b) => Math.BigMul(a, b, out _);
    public readonly ulong MulHighSU(ulong a, ulong b) => Math.BigMul(a, b, out _) - ((long)a < 0 ? b : 0);
    public readonly ulong DivS(ulong a, ulong b) => b == 0 ? ulong.MaxValue : b == ulong.MaxValue ? 0 - a : (ulong)((long)a / (long)b);
    public readonly ulong DivU(ulong a, ulong b) => b == 0 ? ulong.MaxValue : a / b;
    public readonly ulong RemS(ulong a, ulong b) => b == 0 ? a : b == ulong.MaxValue ? 0 : (ulong)((long)a % (long)b);
    public readonly ulong RemU(ulong a, ulong b) => b == 0 ? a : a % b;
    public readonly ulong And(ulong a, ulong b) => a & b;
    public readonly ulong Or(ulong a, ulong b) => a | b;
    public readonly ulong Xor(ulong a, ulong b) => a ^ b;
    public readonly ulong Not(ulong a) => ~a;
    public readonly ulong Shl(ulong a, ulong count) => a << (int)count;
    public readonly ulong ShrU(ulong a, ulong count) => a >> (int)count;
    public readonly ulong ShrS(ulong a, ulong count) => (ulong)((long)a >> (int)count);
    public readonly ulong RotateRight(ulong a, ulong count) => BitOperations.RotateRight(a, (int)count);
    public readonly ulong RotateRight32(ulong a, ulong count) => BitOperations.RotateRight((uint)a, (int)count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ulong SignExtend(ulong a, MemSize from) => from switch
    {
        MemSize.B1 => (ulong)(sbyte)a,
        MemSize.B2 => (ulong)(short)a,
        MemSize.B4 => (ulong)(int)a,
        _ => a,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ulong ZeroExtend(ulong a, MemSize from) => from switch
    {
        MemSize.B1 => (byte)a,
        MemSize.B2 => (ushort)a,
        MemSize.B4 => (uint)a,
        _ => a,
    };

    public readonly ulong Set(Cond cond, ulong a, ulong b) => Holds(cond, a, b) ? 1UL : 0;
    public readonly ulong Select(Cond cond, ulong a, ulong b, ulong whenTrue, ulong whenFalse) => Holds(cond, a, b) ? whenTrue : whenFalse;
    public readonly ulong Set(Cond cond, MemSize width, ulong a, ulong b) => Holds(cond, width, a, b) ? 1UL : 0;
    public readonly ulong Select(Cond cond, MemSize width, ulong a, ulong b, ulong whenTrue, ulong whenFalse) => Holds(cond, width, a, b) ? whenTrue : whenFalse;
    public readonly ulong CountLeadingZeros(ulong a) => (ulong)BitOperations.LeadingZeroCount(a);
    public readonly ulong CountTrailingZeros(ulong a) => (ulong)BitOperations.TrailingZeroCount(a);
    public readonly ulong PopCount(ulong a) => (ulong)BitOperations.PopCount(a);
    public readonly ulong ByteSwap(ulong a) => global::System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(a);

    public readonly void MultiplyWide(ulong a, ulong b, out ulong low, out ulong high) => high = Math.BigMul(a, b, out low);
    public readonly ulong AddCarry(MemSize width, bool subtract, ulong a, ulong b, ulong carry) => subtract ? a - b - carry : a + b + carry;

    public readonly bool TryCarryOf(ulong sum, out ulong carry)
    {
        carry = 0;
        return false;
    }

    public readonly ulong Deposit(ulong value, ulong mask)
    {
        if (Bmi2.X64.IsSupported)
            return Bmi2.X64.ParallelBitDeposit(value, mask);
        ulong result = 0;
        for (; mask != 0; mask &= mask - 1, value >>= 1)
            result |= (value & 1) != 0 ? mask & (0 - mask) : 0;
        return result;
    }

    public readonly ulong Extract(ulong value, ulong mask)
    {
        if (Bmi2.X64.IsSupported)
            return Bmi2.X64.ParallelBitExtract(value, mask);
        ulong result = 0;
        for (int i = 0; mask != 0; mask &= mask - 1, i++)
            result |= (value >> BitOperations.TrailingZeroCount(mask) & 1) << i;
        return result;
    }

    public readonly ulong Crc32(ulong crc, ulong value, MemSize size) => size switch
    {
        MemSize.B1 => BitOperations.Crc32C((uint)crc, (byte)value),
        MemSize.B2 => BitOperations.Crc32C((uint)crc, (ushort)value),
        MemSize.B4 => BitOperations.Crc32C((uint)crc, (uint)value),
        _ => BitOperations.Crc32C((uint)crc, value),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Holds(Cond cond, ulong a, ulong b) => cond switch
    {
        Cond.Eq => a == b,
        Cond.Ne => a != b,
        Cond.LtS => (long)a < (long)b,
        Cond.GeS => (long)a >= (long)b,
        Cond.LtU => a < b,
        _ => a >= b,
    };

    // Shifted to the top, the low bits compare as their width does, signed and unsigned.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Holds(Cond cond, MemSize width, ulong a, ulong b)
    {
        int unused = 64 - (8 << (int)width);
        return Holds(cond, a << unused, b << unused);
    }

    public bool Divide(MemSize width, bool signed, ulong high, ulong low, ulong divisor, out ulong quotient, out ulong remainder)
    {
        remainder = 0;
        if (signed ? TryDivideS(width, high, low, divisor, out quotient, ref remainder) : TryDivideU(width, high, low, divisor, out quotient, ref remainder))
            return true;
        Raise(Instructions.Vector.DE);
        return false;
    }

    private readonly bool TryDivideU(MemSize width, ulong high, ulong low, ulong divisor, out ulong quotient, ref ulong remainder)
    {
        quotient = 0;
        divisor = ZeroExtend(divisor, width);
        if (divisor == 0)
            return false;
        if (width != MemSize.B8)
        {
            ulong dividend = ZeroExtend(low, width) | ZeroExtend(high, width) << (8 << (int)width);
            (quotient, remainder) = Math.DivRem(dividend, divisor);
            return ZeroExtend(quotient, width) == quotient;
        }
        if (high >= divisor)
            return false;
        if (high == 0)
        {
            (quotient, remainder) = Math.DivRem(low, divisor);
            return true;
        }
        (UInt128 q, UInt128 r) = UInt128.DivRem(new UInt128(high, low), divisor);
        quotient = (ulong)q;
        remainder = (ulong)r;
        return true;
    }

    private readonly bool TryDivideS(MemSize width, ulong high, ulong low, ulong divisor, out ulong quotient, ref ulong remainder)
    {
        quotient = 0;
        divisor = SignExtend(divisor, width);
        if (divisor == 0)
            return false;
        // The most negative dividend by -1 does not fit, and the host would trap on it.
        if (width != MemSize.B8)
        {
            long dividend = (long)(ZeroExtend(low, width) | SignExtend(high, width) << (8 << (int)width));
            if (divisor == ulong.MaxValue && dividend == long.MinValue)
                return false;
            (long q, long r) = Math.DivRem(dividend, (long)divisor);
            quotient = (ulong)q;
            remainder = (ulong)r;
            return SignExtend(quotient, width) == quotient;
        }
        if (high == (ulong)((long)low >> 63) && divisor != ulong.MaxValue)
        {
            (long q, long r) = Math.DivRem((long)low, (long)divisor);
            quotient = (ulong)q;
            remainder = (ulong)r;
            return true;
        }
        var wide = (Int128)new UInt128(high, low);
        if (wide == Int128.MinValue)
            return false;
        (Int128 wideQuotient, Int128 wideRemainder) = Int128.DivRem(wide, (long)divisor);
        quotient = (ulong)wideQuotient;
        remainder = (ulong)wideRemainder;
        return (long)wideQuotient == wideQuotient;
    }
}
