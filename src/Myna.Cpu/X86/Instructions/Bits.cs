using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Bit tests and scans (Intel SDM volume 1, section 7.3.6 and 7.3.7).</summary>
internal static class Bits<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Bt)]
    public static void Bt(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        T value;
        if (insn.Op0.Kind == OperandKind.Memory)
        {
            if (!BitAddress(ref ops, in insn, write: false, out T linear) || !ops.Load(linear, width, signed: false, out value))
                return;
        }
        else
        {
            Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out value);
        }
        SetCarry(ref ops, value, Index(ref ops, in insn, width));
    }

    [X86Instruction(Mnemonic.Bts)]
    public static void Bts(ref TOps ops, in Insn insn) => Change(ref ops, in insn, AtomicOp.Or);

    [X86Instruction(Mnemonic.Btr)]
    public static void Btr(ref TOps ops, in Insn insn) => Change(ref ops, in insn, AtomicOp.And);

    [X86Instruction(Mnemonic.Btc)]
    public static void Btc(ref TOps ops, in Insn insn) => Change(ref ops, in insn, AtomicOp.Xor);

    private static void Change(ref TOps ops, in Insn insn, AtomicOp op)
    {
        MemSize width = insn.Op0.Width;
        T index = Index(ref ops, in insn, width);
        T bit = ops.Shl(ops.Const(1), index);
        if (op == AtomicOp.And)
            bit = ops.Not(bit);
        T old, linear = default;
        if (insn.Op0.Kind == OperandKind.Memory)
        {
            if (!BitAddress(ref ops, in insn, write: true, out linear))
                return;
            if (insn.HasLock)
            {
                if (ops.LockedUpdate(op, linear, width, bit, out old))
                    SetCarry(ref ops, old, index);
                return;
            }
            if (!ops.LoadForUpdate(linear, width, out old))
                return;
        }
        else
        {
            Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out old);
        }
        T r = op switch { AtomicOp.Or => ops.Or(old, bit), AtomicOp.And => ops.And(old, bit), _ => ops.Xor(old, bit) };
        if (Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r))
            SetCarry(ref ops, old, index);
    }

    // Bit number inside the operand.
    private static T Index(ref TOps ops, in Insn insn, MemSize width)
    {
        ulong mask = (8u << (int)width) - 1;
        return insn.Op1.Kind == OperandKind.Immediate ? ops.Const(insn.Immediate & mask) : ops.And(ops.Get(insn.Op1.Register << 3), ops.Const(mask));
    }

    // With a register as bit number, memory is a bit string that reaches in both directions.
    private static bool BitAddress(ref TOps ops, in Insn insn, bool write, out T linear)
    {
        T offset = Operands<TOps, T, V>.EffectiveAddress(ref ops, in insn);
        MemSize width = insn.Op0.Width;
        if (insn.Op1.Kind != OperandKind.Immediate)
        {
            int shift = 3 + (int)width;
            T number = ops.SignExtend(ops.Get(insn.Op1.Register << 3), width);
            T bytes = ops.Shl(ops.ShrS(number, ops.Const((ulong)shift)), ops.Const((ulong)width));
            offset = Operands<TOps, T, V>.Reduce(ref ops, ops.Add(offset, bytes), insn.AddressSize);
        }
        return ops.Linear(insn.Segment, offset, insn.Op0.Size, write, out linear);
    }

    // CF is the bit; the others are undefined but ZF, which stays: all stay but OF.
    private static void SetCarry(ref TOps ops, T value, T index)
        => Flags<TOps, T, V>.SetCarryAndOverflow(ref ops, ops.And(ops.ShrU(value, index), ops.Const(1)));

    [X86Instruction(Mnemonic.Bsf)]
    public static void Bsf(ref TOps ops, in Insn insn)
    {
        if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            Scan(ref ops, in insn, source, ops.CountTrailingZeros(source));
    }

    [X86Instruction(Mnemonic.Bsr)]
    public static void Bsr(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        T value = Operands<TOps, T, V>.Reduce(ref ops, source, insn.Op1.Width);
        Scan(ref ops, in insn, source, ops.Sub(ops.Const(63), ops.CountLeadingZeros(value)));
    }

    // Without a set bit the destination stays (AMD APM volume 3; Intel processors do the same).
    private static void Scan(ref TOps ops, in Insn insn, T source, T index)
    {
        MemSize width = insn.Op0.Width;
        int slot = insn.Op0.Register << 3;
        T old = ops.Get(slot);
        T zero = ops.Const(0);
        T written = width == MemSize.B2 ? ops.Or(ops.And(old, ops.Const(~0xFFFFUL)), index) : index;
        ops.Set(slot, ops.Select(Cond.Ne, width, source, zero, written, old));
        Flags<TOps, T, V>.SetLogic(ref ops, width, source);
    }

    [X86Instruction(Mnemonic.Lzcnt)]
    public static void Lzcnt(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        T count = ops.CountLeadingZeros(Operands<TOps, T, V>.Reduce(ref ops, source, width));
        ulong unused = 64 - (8u << (int)width);
        FinishCount(ref ops, in insn, source, unused == 0 ? count : ops.Sub(count, ops.Const(unused)));
    }

    [X86Instruction(Mnemonic.Tzcnt)]
    public static void Tzcnt(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        // A bit just above the operand stops the count at its width.
        T stopped = width == MemSize.B8 ? source : ops.Or(source, ops.Const(1UL << (8 << (int)width)));
        FinishCount(ref ops, in insn, source, ops.CountTrailingZeros(stopped));
    }

    // CF: there was no bit; ZF: the count is 0. The others are undefined: 0.
    private static void FinishCount(ref TOps ops, in Insn insn, T source, T count)
    {
        T zero = ops.Const(0);
        T flags = ops.Or(ops.Set(Cond.Eq, insn.Op0.Width, source, zero), ops.Shl(ops.Set(Cond.Eq, MemSize.B4, count, zero), ops.Const(6)));
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, count);
        Flags<TOps, T, V>.SetExplicit(ref ops, flags);
    }

    [X86Instruction(Mnemonic.Popcnt)]
    public static void Popcnt(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        T value = Operands<TOps, T, V>.Reduce(ref ops, source, insn.Op0.Width);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, ops.PopCount(value));
        Flags<TOps, T, V>.SetExplicit(ref ops, ops.Shl(ops.Set(Cond.Eq, MemSize.B8, value, ops.Const(0)), ops.Const(6)));
    }

    [X86Instruction(Mnemonic.Crc32)]
    public static void Crc32(ref TOps ops, in Insn insn)
    {
        if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            ops.Set(insn.Op0.Register << 3, ops.Crc32(ops.Get(insn.Op0.Register << 3), source, insn.Op1.Width));
    }
}
