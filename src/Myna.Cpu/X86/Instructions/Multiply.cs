using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Multiplication and division (Intel SDM volume 1, section 7.3.2.4 and 7.3.2.5).</summary>
internal static class Multiply<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Mul)]
    public static void Mul(ref TOps ops, in Insn insn) => MultiplyAccumulator(ref ops, in insn, signed: false);

    [X86Instruction(Mnemonic.Imul)]
    public static void Imul(ref TOps ops, in Insn insn)
    {
        if (insn.OperandCount == 1)
        {
            MultiplyAccumulator(ref ops, in insn, signed: true);
            return;
        }
        MemSize width = insn.Op0.Width;
        // Two operands: destination and source; three: destination, source, immediate.
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.OperandCount == 2 ? ref insn.Op0 : ref insn.Op2, out T a)
            || !Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b))
        {
            return;
        }
        T result = ops.Mul(a, b);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, result);
        Flags<TOps, T, V>.SetFull(ref ops, FlagKind.Imul, width, a, b, result);
    }

    private static void MultiplyAccumulator(ref TOps ops, in Insn insn, bool signed)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out T b))
            return;
        T a = ops.Get(Operands<TOps, T, V>.Rax);
        if (width == MemSize.B8)
        {
            T low, high;
            if (signed)
            {
                low = ops.Mul(a, b);
                high = ops.MulHighS(a, b);
            }
            else
            {
                ops.MultiplyWide(a, b, out low, out high);
            }
            ops.Set(Operands<TOps, T, V>.Rax, low);
            ops.Set(Operands<TOps, T, V>.Rdx, high);
            if (signed)
                Flags<TOps, T, V>.SetFull(ref ops, FlagKind.Imul, width, a, b, low);
            else
                Flags<TOps, T, V>.SetResultAndCarry(ref ops, FlagKind.Mul, width, low, high);
            return;
        }
        T product = signed ? ops.Mul(ops.SignExtend(a, width), ops.SignExtend(b, width)) : ops.Mul(ops.ZeroExtend(a, width), ops.ZeroExtend(b, width));
        if (width == MemSize.B1)
        {
            Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rax, MemSize.B2, product);
        }
        else
        {
            Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rax, width, product);
            Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rdx, width, ops.ShrU(product, ops.Const(8u << (int)width)));
        }
        if (signed)
            Flags<TOps, T, V>.SetFull(ref ops, FlagKind.Imul, width, a, b, product);
        else
            Flags<TOps, T, V>.SetResultAndCarry(ref ops, FlagKind.Mul, width, product, ops.ShrU(product, ops.Const(8u << (int)width)));
    }

    [X86Instruction(Mnemonic.Div)]
    public static void Div(ref TOps ops, in Insn insn) => Divide(ref ops, in insn, signed: false);

    [X86Instruction(Mnemonic.Idiv)]
    public static void Idiv(ref TOps ops, in Insn insn) => Divide(ref ops, in insn, signed: true);

    // The flags are undefined; they stay as they are.
    private static void Divide(ref TOps ops, in Insn insn, bool signed)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out T divisor))
            return;
        T rax = ops.Get(Operands<TOps, T, V>.Rax);
        T high = width == MemSize.B1 ? ops.ShrU(rax, ops.Const(8)) : ops.Get(Operands<TOps, T, V>.Rdx);
        if (!ops.Divide(width, signed, high, rax, divisor, out T quotient, out T remainder))
            return;
        if (width == MemSize.B1)
        {
            T both = ops.Or(ops.ZeroExtend(quotient, MemSize.B1), ops.Shl(ops.ZeroExtend(remainder, MemSize.B1), ops.Const(8)));
            Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rax, MemSize.B2, both);
            return;
        }
        Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rax, width, quotient);
        Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rdx, width, remainder);
    }
}
