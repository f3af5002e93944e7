using System.Numerics;
using System.Runtime.CompilerServices;
using Myna.Cpu.RiscV.Instructions;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV;

/// <summary>What an instruction did to the flow of control.</summary>
internal enum Flow : byte
{
    /// <summary>On behind the instruction.</summary>
    Next,
    /// <summary>On at <see cref="InterpreterOps.Target"/>.</summary>
    Jump,
    /// <summary>On behind the instruction, but privilege, translation or interrupts may have changed.</summary>
    Resync,
    /// <summary>As <see cref="Resync"/>, and instructions may have changed.</summary>
    Refetch,
    /// <summary>The hart set the pc, privilege may have changed.</summary>
    Return,
    /// <summary>The instruction did not retire; the hart set the pc to the handler.</summary>
    Trap,
}

/// <summary>
/// The operations as execution: values are integers, effects happen at once. Integer arithmetic is here, the rest in
/// the other parts.
/// </summary>
internal ref partial struct InterpreterOps : IRiscVOps<ulong>
{
    private readonly Hart _hart;
    private readonly SoftTlb _tlb;
    private readonly int _mode;
    private readonly ref RiscVRegisters _registers;
    private uint _raw;

    /// <summary>Where <see cref="Flow.Jump"/> goes.</summary>
    public ulong Target;

    /// <summary>Instructions left to the limit; while one executes it is included.</summary>
    public ulong Left;

    /// <summary>The value of the context's instruction count at which the run ends.</summary>
    private readonly ulong _limit;

    public Flow Flow;

    /// <param name="limit">The instruction count at which the run ends.</param>
    public InterpreterOps(Hart hart, ulong limit)
    {
        _hart = hart;
        _tlb = hart.Block.Tlb;
        _mode = hart.DataMode;
        _registers = ref hart.Registers64;
        _limit = limit;
        Left = limit - hart.Block.Context.InstructionCount;
    }

    public ulong Pc { get; private set; }

    /// <summary>Makes an instruction the current one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Begin(in Fields instruction, ulong pc)
    {
        _raw = instruction.Raw;
        Pc = pc;
        Flow = Flow.Next;
    }

    /// <summary>The instruction count now.</summary>
    public readonly ulong Retired => _limit - Left;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ulong X(int register) => _registers.X[register & 31];

    // x0 is written and cleared again: cheaper than a test.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void SetX(int register, ulong value)
    {
        _registers.X[register & 31] = value;
        _registers.X[0] = 0;
    }

    public readonly ulong Get(int slot) => _registers.X[(slot >> 3) & 31];
    public readonly void Set(int slot, ulong value) => SetX(slot >> 3, value);
    public readonly ulong Const(ulong value) => value;

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
    public readonly ulong CountLeadingZeros(ulong a) => (ulong)BitOperations.LeadingZeroCount(a);
    public readonly ulong CountTrailingZeros(ulong a) => (ulong)BitOperations.TrailingZeroCount(a);
    public readonly ulong PopCount(ulong a) => (ulong)BitOperations.PopCount(a);
    public readonly ulong ByteSwap(ulong a) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(a);

    public readonly ulong OrCombineBytes(ulong a)
    {
        // The highest bit of each byte: whether any bit of it is set.
        const ulong Low = 0x7F7F7F7F7F7F7F7F;
        ulong any = (((a & Low) + Low) | a) & ~Low;
        return (any >> 7) * 0xFF;
    }

    public readonly ulong ClMul(ulong a, ulong b)
    {
        ulong result = 0;
        for (; b != 0; b &= b - 1)
            result ^= a << BitOperations.TrailingZeroCount(b);
        return result;
    }

    public readonly ulong ClMulHigh(ulong a, ulong b)
    {
        ulong result = 0;
        for (b &= ~1UL; b != 0; b &= b - 1)
            result ^= a >> (64 - BitOperations.TrailingZeroCount(b));
        return result;
    }

    public void Jump(ulong target)
    {
        Target = target;
        Flow = Flow.Jump;
    }

    public void JumpIndirect(ulong target) => Jump(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Branch(Cond cond, ulong a, ulong b, ulong target)
    {
        if (Holds(cond, a, b))
            Jump(target);
    }

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
}
