using System.Runtime.CompilerServices;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>
/// The most frequent forms of the most frequent instructions, without the questions that the general methods ask about their operands.
/// The decoder picks them by name (<see cref="Decoding.FrequentForms"/>); they mean what the general methods mean.
/// </summary>
internal static class Frequent<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    // A register of 32 or 64 bits from a register or an immediate.

    [X86Instruction]
    public static void Mov32(ref TOps ops, in Insn insn) => ops.Set(insn.Op0.Register << 3, ops.ZeroExtend(Source(ref ops, in insn), MemSize.B4));

    [X86Instruction]
    public static void Mov64(ref TOps ops, in Insn insn) => ops.Set(insn.Op0.Register << 3, Source(ref ops, in insn));

    [X86Instruction]
    public static void Add32(ref TOps ops, in Insn insn) => Add(ref ops, in insn, MemSize.B4);

    [X86Instruction]
    public static void Add64(ref TOps ops, in Insn insn) => Add(ref ops, in insn, MemSize.B8);

    [X86Instruction]
    public static void Sub32(ref TOps ops, in Insn insn) => Sub(ref ops, in insn, MemSize.B4);

    [X86Instruction]
    public static void Sub64(ref TOps ops, in Insn insn) => Sub(ref ops, in insn, MemSize.B8);

    [X86Instruction]
    public static void Cmp32(ref TOps ops, in Insn insn)
        => Flags<TOps, T, V>.SetSub(ref ops, MemSize.B4, ops.Get(insn.Op0.Register << 3), Source(ref ops, in insn));

    [X86Instruction]
    public static void Cmp64(ref TOps ops, in Insn insn)
        => Flags<TOps, T, V>.SetSub(ref ops, MemSize.B8, ops.Get(insn.Op0.Register << 3), Source(ref ops, in insn));

    [X86Instruction]
    public static void And32(ref TOps ops, in Insn insn) => Logic(ref ops, in insn, MemSize.B4, ops.And(ops.Get(insn.Op0.Register << 3), Source(ref ops, in insn)));

    [X86Instruction]
    public static void And64(ref TOps ops, in Insn insn) => Logic(ref ops, in insn, MemSize.B8, ops.And(ops.Get(insn.Op0.Register << 3), Source(ref ops, in insn)));

    [X86Instruction]
    public static void Or32(ref TOps ops, in Insn insn) => Logic(ref ops, in insn, MemSize.B4, ops.Or(ops.Get(insn.Op0.Register << 3), Source(ref ops, in insn)));

    [X86Instruction]
    public static void Or64(ref TOps ops, in Insn insn) => Logic(ref ops, in insn, MemSize.B8, ops.Or(ops.Get(insn.Op0.Register << 3), Source(ref ops, in insn)));

    /// <summary>By an immediate that is not 0 modulo 32.</summary>
    [X86Instruction]
    public static void Shl32(ref TOps ops, in Insn insn) => ShiftLeft(ref ops, in insn, MemSize.B4);

    /// <summary>By an immediate that is not 0 modulo 64.</summary>
    [X86Instruction]
    public static void Shl64(ref TOps ops, in Insn insn) => ShiftLeft(ref ops, in insn, MemSize.B8);

    [X86Instruction]
    public static void Shr32(ref TOps ops, in Insn insn) => ShiftRight(ref ops, in insn, MemSize.B4);

    [X86Instruction]
    public static void Shr64(ref TOps ops, in Insn insn) => ShiftRight(ref ops, in insn, MemSize.B8);

    [X86Instruction]
    public static void Lea32(ref TOps ops, in Insn insn)
        => ops.Set(insn.Op0.Register << 3, ops.ZeroExtend(Operands<TOps, T, V>.EffectiveAddress(ref ops, in insn), MemSize.B4));

    [X86Instruction]
    public static void Lea64(ref TOps ops, in Insn insn) => ops.Set(insn.Op0.Register << 3, Operands<TOps, T, V>.EffectiveAddress(ref ops, in insn));

    [X86Instruction]
    public static void Test32(ref TOps ops, in Insn insn)
        => Flags<TOps, T, V>.SetLogic(ref ops, MemSize.B4, ops.And(ops.Get(insn.Op0.Register << 3), Source(ref ops, in insn)));

    [X86Instruction]
    public static void Test64(ref TOps ops, in Insn insn)
        => Flags<TOps, T, V>.SetLogic(ref ops, MemSize.B8, ops.And(ops.Get(insn.Op0.Register << 3), Source(ref ops, in insn)));

    // Loads and stores of a register.

    [X86Instruction]
    public static void Load32(ref TOps ops, in Insn insn) => Load(ref ops, in insn, MemSize.B4);

    [X86Instruction]
    public static void Load64(ref TOps ops, in Insn insn) => Load(ref ops, in insn, MemSize.B8);

    /// <summary>MOVZX of a byte, to 32 or 64 bits.</summary>
    [X86Instruction]
    public static void LoadByte(ref TOps ops, in Insn insn) => Load(ref ops, in insn, MemSize.B1);

    /// <summary>MOV of the low byte of a register.</summary>
    [X86Instruction]
    public static void StoreByte(ref TOps ops, in Insn insn) => Store(ref ops, in insn, MemSize.B1);

    [X86Instruction]
    public static void Store32(ref TOps ops, in Insn insn) => Store(ref ops, in insn, MemSize.B4);

    [X86Instruction]
    public static void Store64(ref TOps ops, in Insn insn) => Store(ref ops, in insn, MemSize.B8);

    // The stack in 64-bit mode.

    [X86Instruction]
    public static void Push64(ref TOps ops, in Insn insn)
    {
        T pointer = ops.Sub(ops.Get(Operands<TOps, T, V>.Rsp), ops.Const(8));
        if (ops.Store(pointer, MemSize.B8, ops.Get(insn.Op0.Register << 3)))
            ops.Set(Operands<TOps, T, V>.Rsp, pointer);
    }

    [X86Instruction]
    public static void Pop64(ref TOps ops, in Insn insn)
    {
        T pointer = ops.Get(Operands<TOps, T, V>.Rsp);
        if (!ops.Load(pointer, MemSize.B8, signed: false, out T value))
            return;
        ops.Set(Operands<TOps, T, V>.Rsp, ops.Add(pointer, ops.Const(8)));
        ops.Set(insn.Op0.Register << 3, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Source(ref TOps ops, in Insn insn)
        => insn.Op1.Kind == OperandKind.Gpr ? ops.Get(insn.Op1.Register << 3) : ops.Const(insn.Immediate);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(ref TOps ops, in Insn insn, MemSize width, T value)
        => ops.Set(insn.Op0.Register << 3, width == MemSize.B8 ? value : ops.ZeroExtend(value, MemSize.B4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(ref TOps ops, in Insn insn, MemSize width)
    {
        T a = ops.Get(insn.Op0.Register << 3);
        T r = ops.Add(a, Source(ref ops, in insn));
        Write(ref ops, in insn, width, r);
        Flags<TOps, T, V>.SetAdd(ref ops, width, a, r);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sub(ref TOps ops, in Insn insn, MemSize width)
    {
        T a = ops.Get(insn.Op0.Register << 3);
        T b = Source(ref ops, in insn);
        Write(ref ops, in insn, width, ops.Sub(a, b));
        Flags<TOps, T, V>.SetSub(ref ops, width, a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Logic(ref TOps ops, in Insn insn, MemSize width, T result)
    {
        Write(ref ops, in insn, width, result);
        Flags<TOps, T, V>.SetLogic(ref ops, width, result);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ShiftLeft(ref TOps ops, in Insn insn, MemSize width)
    {
        T a = ops.Get(insn.Op0.Register << 3);
        T count = ops.Const(insn.Immediate & (width == MemSize.B8 ? 63u : 31u));
        T r = ops.Shl(a, count);
        Write(ref ops, in insn, width, r);
        Flags<TOps, T, V>.SetFull(ref ops, FlagKind.Shl, width, a, count, r);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ShiftRight(ref TOps ops, in Insn insn, MemSize width)
    {
        T a = ops.Get(insn.Op0.Register << 3);
        T count = ops.Const(insn.Immediate & (width == MemSize.B8 ? 63u : 31u));
        T r = ops.ShrU(width == MemSize.B8 ? a : ops.ZeroExtend(a, MemSize.B4), count);
        // It is zero-extended already.
        ops.Set(insn.Op0.Register << 3, r);
        Flags<TOps, T, V>.SetFull(ref ops, FlagKind.Shr, width, a, count, r);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(ref TOps ops, in Insn insn, MemSize size)
    {
        if (ops.Linear(insn.Segment, Operands<TOps, T, V>.EffectiveAddress(ref ops, in insn), 1 << (int)size, write: false, out T linear)
            && ops.Load(linear, size, signed: false, out T value))
        {
            ops.Set(insn.Op0.Register << 3, value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ref TOps ops, in Insn insn, MemSize size)
    {
        if (ops.Linear(insn.Segment, Operands<TOps, T, V>.EffectiveAddress(ref ops, in insn), 1 << (int)size, write: true, out T linear))
            ops.Store(linear, size, ops.Get(insn.Op1.Register << 3));
    }
}
