using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Moves between vector registers, memory and general registers.</summary>
internal static partial class Simd<TOps, T, V>
{
    [X86Instruction(Mnemonic.Movaps, Mnemonic.Movapd, Mnemonic.Movdqa, Mnemonic.Vmovaps, Mnemonic.Vmovapd, Mnemonic.Vmovdqa,
        Mnemonic.Movntps, Mnemonic.Movntpd, Mnemonic.Movntdq, Mnemonic.Vmovntps, Mnemonic.Vmovntpd, Mnemonic.Vmovntdq,
        Mnemonic.Movntdqa, Mnemonic.Vmovntdqa)]
    public static void MoveAligned(ref TOps ops, in Insn insn) => Move(ref ops, in insn, aligned: true);

    [X86Instruction(Mnemonic.Movups, Mnemonic.Movupd, Mnemonic.Movdqu, Mnemonic.Lddqu,
        Mnemonic.Vmovups, Mnemonic.Vmovupd, Mnemonic.Vmovdqu, Mnemonic.Vlddqu)]
    public static void MoveUnaligned(ref TOps ops, in Insn insn) => Move(ref ops, in insn, aligned: false);

    private static void Move(ref TOps ops, in Insn insn, bool aligned)
    {
        if (!Available(ref ops, in insn))
            return;
        Operand to = insn.Op0, from = insn.Op1;
        bool wide = insn.Is256;
        if (to.Kind == OperandKind.Memory)
        {
            if (!Address(ref ops, in insn, wide ? 32 : 16, write: true, out T target))
                return;
            if (!wide)
                ops.StoreVector(target, 16, Xmm(ref ops, from.Register), aligned);
            else if (!aligned || IsAligned32(ref ops, target))
                StorePair(ref ops, target, Xmm(ref ops, from.Register), High(ref ops, from.Register));
            return;
        }
        V low, high = default;
        if (from.Kind == OperandKind.Memory)
        {
            if (!Address(ref ops, in insn, wide ? 32 : 16, write: false, out T source)
                || (wide && aligned && !IsAligned32(ref ops, source))
                || !(wide ? LoadPair(ref ops, source, out low, out high) : ops.LoadVector(source, 16, out low, aligned)))
            {
                return;
            }
        }
        else
        {
            low = Xmm(ref ops, from.Register);
            if (wide)
                high = High(ref ops, from.Register);
        }
        if (wide)
            SetYmm(ref ops, to.Register, low, high);
        else
            SetXmm(ref ops, in insn, to.Register, low);
    }

    private static bool IsAligned32(ref TOps ops, T linear) => ops.RaiseIf(Cond.Ne, ops.And(linear, ops.Const(31)), ops.Const(0), Vector.GP);

    /// <summary>
    /// A store of 32 bytes: when it crosses a page border, both pages are checked before the first byte is written. Alignment checks, where the guest
    /// has them, want multiples of 16, as on AMD's processors.
    /// </summary>
    private static bool StorePair(ref TOps ops, T linear, V low, V high)
        => ops.ProbeWrite(linear, 32, alignment: 16) && ops.StoreVector(linear, 16, low) && ops.StoreVector(ops.Add(linear, ops.Const(16)), 16, high);

    [X86Instruction(Mnemonic.Movss, Mnemonic.Vmovss, Mnemonic.Vmovsd)]
    [X86Form(Code.Movsd_xmm_xmmm64, Code.Movsd_xmmm64_xmm)]
    public static void MoveScalar(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        bool single = insn.Mnemonic is Mnemonic.Movss or Mnemonic.Vmovss;
        int bytes = single ? 4 : 8;
        if (insn.Op0.Kind == OperandKind.Memory)
        {
            if (Address(ref ops, in insn, bytes, write: true, out T target))
                ops.StoreVector(target, bytes, Xmm(ref ops, insn.Op1.Register));
        }
        else if (insn.Op1.Kind == OperandKind.Memory)
        {
            if (Read(ref ops, in insn, insn.Op1, out V loaded))
                SetXmm(ref ops, in insn, insn.Op0.Register, loaded);
        }
        else
        {
            // Registers: the low element is replaced.
            V a = Xmm(ref ops, insn.IsVex ? insn.Op1.Register : insn.Op0.Register);
            V b = Xmm(ref ops, insn.IsVex ? insn.Op2.Register : insn.Op1.Register);
            SetXmm(ref ops, in insn, insn.Op0.Register, ops.Vector(single ? VectorOp.Movss : VectorOp.Movsd, a, b));
        }
    }

    [X86Instruction(Mnemonic.Movlps, Mnemonic.Movlpd, Mnemonic.Vmovlps, Mnemonic.Vmovlpd,
        Mnemonic.Movhps, Mnemonic.Movhpd, Mnemonic.Vmovhps, Mnemonic.Vmovhpd)]
    public static void MoveHalf(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        bool high = insn.Mnemonic is Mnemonic.Movhps or Mnemonic.Movhpd or Mnemonic.Vmovhps or Mnemonic.Vmovhpd;
        if (insn.Op0.Kind == OperandKind.Memory)
        {
            V source = Xmm(ref ops, insn.Op1.Register);
            if (high)
                source = HighHalves(ref ops, source, source);
            if (Address(ref ops, in insn, 8, write: true, out T target))
                ops.StoreVector(target, 8, source);
            return;
        }
        V a = Xmm(ref ops, insn.IsVex ? insn.Op1.Register : insn.Op0.Register);
        if (Read(ref ops, in insn, insn.IsVex ? insn.Op2 : insn.Op1, out V b))
            SetXmm(ref ops, in insn, insn.Op0.Register, high ? Low(ref ops, a, b) : ops.Vector(VectorOp.Movsd, a, b));
    }

    [X86Instruction(Mnemonic.Movd, Mnemonic.Vmovd, Mnemonic.Movq, Mnemonic.Vmovq)]
    public static void MoveInteger(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        Operand to = insn.Op0, from = insn.Op1;
        if (to.Kind == OperandKind.Xmm)
        {
            V value;
            if (from.Kind == OperandKind.Gpr)
                value = ops.IntegerToVector(from.Size == 8 ? VectorOp.MovqFrom : VectorOp.MovdFrom, ops.Get(X86Registers.Gpr(from.Register)));
            else if (from.Kind == OperandKind.Xmm)
                value = ops.Vector(VectorOp.Movq, Xmm(ref ops, from.Register));
            else if (!Read(ref ops, in insn, from, out value))
                return;
            SetXmm(ref ops, in insn, to.Register, value);
            return;
        }
        V source = Xmm(ref ops, from.Register);
        if (to.Kind == OperandKind.Memory)
        {
            if (Address(ref ops, in insn, to.Size, write: true, out T target))
                ops.StoreVector(target, to.Size, source);
        }
        else
        {
            ops.Set(X86Registers.Gpr(to.Register), ops.VectorToInteger(to.Size == 8 ? VectorOp.MovqTo : VectorOp.MovdTo, source));
        }
    }

    // Integers into elements, and elements into integers.

    [VectorInstruction(VectorOp.Pinsrb, Mnemonic.Pinsrb, Mnemonic.Vpinsrb)]
    [VectorInstruction(VectorOp.Pinsrw, Mnemonic.Pinsrw, Mnemonic.Vpinsrw)]
    [VectorInstruction(VectorOp.Pinsrd, Mnemonic.Pinsrd, Mnemonic.Vpinsrd)]
    [VectorInstruction(VectorOp.Pinsrq, Mnemonic.Pinsrq, Mnemonic.Vpinsrq)]
    [VectorInstruction(VectorOp.Cvtsi2ss, Mnemonic.Cvtsi2ss, Mnemonic.Vcvtsi2ss)]
    [VectorInstruction(VectorOp.Cvtsi2sd, Mnemonic.Cvtsi2sd, Mnemonic.Vcvtsi2sd)]
    public static void Insert(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        Operand from = insn.IsVex ? insn.Op2 : insn.Op1;
        if (op is VectorOp.Cvtsi2ss or VectorOp.Cvtsi2sd && from.Size == 8)
            op = op == VectorOp.Cvtsi2ss ? VectorOp.Cvtsi2ssq : VectorOp.Cvtsi2sdq;
        T value;
        if (from.Kind != OperandKind.Memory)
            value = ops.Get(X86Registers.Gpr(from.Register));
        else if (!Address(ref ops, in insn, from.Size, write: false, out T source) || !ops.Load(source, from.Width, signed: false, out value))
            return;
        V a = Xmm(ref ops, insn.IsVex ? insn.Op1.Register : insn.Op0.Register);
        V result = ops.Insert(op, a, value, (byte)insn.Immediate);
        if (!op.IsFloat() || ops.RaiseSimd())
            SetXmm(ref ops, in insn, insn.Op0.Register, result);
    }

    [VectorInstruction(VectorOp.Pextrb, Mnemonic.Pextrb, Mnemonic.Vpextrb)]
    [VectorInstruction(VectorOp.Pextrw, Mnemonic.Pextrw, Mnemonic.Vpextrw)]
    [VectorInstruction(VectorOp.Pextrd, Mnemonic.Pextrd, Mnemonic.Vpextrd)]
    [VectorInstruction(VectorOp.Pextrq, Mnemonic.Pextrq, Mnemonic.Vpextrq)]
    [VectorInstruction(VectorOp.Extractps, Mnemonic.Extractps, Mnemonic.Vextractps)]
    public static void Extract(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        T value = ops.VectorToInteger(X86Table.Operation(insn.Mnemonic), Xmm(ref ops, insn.Op1.Register), (byte)insn.Immediate);
        if (insn.Op0.Kind != OperandKind.Memory)
            ops.Set(X86Registers.Gpr(insn.Op0.Register), value);
        else if (Address(ref ops, in insn, insn.Op0.Size, write: true, out T target))
            ops.Store(target, insn.Op0.Width, value);
    }

    [VectorInstruction(VectorOp.Movmskps, Mnemonic.Movmskps, Mnemonic.Vmovmskps)]
    [VectorInstruction(VectorOp.Movmskpd, Mnemonic.Movmskpd, Mnemonic.Vmovmskpd)]
    [VectorInstruction(VectorOp.Pmovmskb, Mnemonic.Pmovmskb, Mnemonic.Vpmovmskb)]
    public static void MoveMask(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        T mask = ops.VectorToInteger(op, Xmm(ref ops, insn.Op1.Register));
        if (insn.Is256)
        {
            ulong bits = op switch { VectorOp.Movmskps => 4, VectorOp.Movmskpd => 2, _ => 16 };
            mask = ops.Or(mask, ops.Shl(ops.VectorToInteger(op, High(ref ops, insn.Op1.Register)), ops.Const(bits)));
        }
        ops.Set(X86Registers.Gpr(insn.Op0.Register), mask);
    }
}
