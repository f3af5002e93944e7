using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>AVX and AVX2 instructions that move data between the halves of YMM registers, and their 128-bit forms.</summary>
internal static partial class Simd<TOps, T, V>
{
    /// <summary>The selectors are a vector or an immediate.</summary>
    [VectorInstruction(VectorOp.Permilps, Mnemonic.Vpermilps)]
    [VectorInstruction(VectorOp.Permilpd, Mnemonic.Vpermilpd)]
    public static void PermuteInLane(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        if (insn.Op2.Kind == OperandKind.Immediate)
            Unary(ref ops, in insn, op == VectorOp.Permilps ? VectorOp.PermilpsImm : VectorOp.PermilpdImm);
        else
            Binary(ref ops, in insn, op, 0);
    }

    [VectorInstruction(VectorOp.Broadcastss, Mnemonic.Vbroadcastss)]
    [VectorInstruction(VectorOp.Pbroadcastq, Mnemonic.Vbroadcastsd, Mnemonic.Vpbroadcastq)]
    [VectorInstruction(VectorOp.Pbroadcastd, Mnemonic.Vpbroadcastd)]
    [VectorInstruction(VectorOp.Pbroadcastb, Mnemonic.Vpbroadcastb)]
    [VectorInstruction(VectorOp.Pbroadcastw, Mnemonic.Vpbroadcastw)]
    public static void Broadcast(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn) || !Read(ref ops, in insn, insn.Op1, out V source))
            return;
        V result = ops.Vector(X86Table.Operation(insn.Mnemonic), source);
        if (insn.Is256)
            SetYmm(ref ops, insn.Op0.Register, result, result);
        else
            SetXmm(ref ops, in insn, insn.Op0.Register, result);
    }

    [X86Instruction(Mnemonic.Vbroadcastf128, Mnemonic.Vbroadcasti128)]
    public static void Broadcast128(ref TOps ops, in Insn insn)
    {
        if (Available(ref ops, in insn) && Read(ref ops, in insn, insn.Op1, out V source))
            SetYmm(ref ops, insn.Op0.Register, source, source);
    }

    [X86Instruction(Mnemonic.Vinsertf128, Mnemonic.Vinserti128)]
    public static void Insert128(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn) || !Read(ref ops, in insn, insn.Op2, out V source))
            return;
        int a = insn.Op1.Register;
        if ((insn.Immediate & 1) == 0)
            SetYmm(ref ops, insn.Op0.Register, source, High(ref ops, a));
        else
            SetYmm(ref ops, insn.Op0.Register, Xmm(ref ops, a), source);
    }

    [X86Instruction(Mnemonic.Vextractf128, Mnemonic.Vextracti128)]
    public static void Extract128(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        int source = insn.Op1.Register;
        V value = (insn.Immediate & 1) == 0 ? Xmm(ref ops, source) : High(ref ops, source);
        if (insn.Op0.Kind != OperandKind.Memory)
            SetXmm(ref ops, in insn, insn.Op0.Register, value);
        else if (Address(ref ops, in insn, 16, write: true, out T target))
            ops.StoreVector(target, 16, value);
    }

    /// <summary>Each half of the result is one of the sources' four halves, or zero.</summary>
    [X86Instruction(Mnemonic.Vperm2f128, Mnemonic.Vperm2i128)]
    public static void Permute128(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn) || !Read(ref ops, in insn, insn.Op2, out V low, out V high))
            return;
        int a = insn.Op1.Register;
        V aLow = Xmm(ref ops, a), aHigh = High(ref ops, a);
        V first = Half(ref ops, insn.Immediate, aLow, aHigh, low, high);
        V second = Half(ref ops, insn.Immediate >> 4, aLow, aHigh, low, high);
        SetYmm(ref ops, insn.Op0.Register, first, second);
    }

    private static V Half(ref TOps ops, ulong selector, V a0, V a1, V b0, V b1)
        => (selector & 8) != 0 ? ops.ZeroVector() : (selector & 3) switch { 0 => a0, 1 => a1, 2 => b0, _ => b1 };

    [X86Instruction(Mnemonic.Vpermq, Mnemonic.Vpermpd)]
    public static void Permute64(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn) || !Read(ref ops, in insn, insn.Op1, out V low, out V high))
            return;
        ulong imm = insn.Immediate;
        SetYmm(ref ops, insn.Op0.Register, Pair(ref ops, low, high, imm), Pair(ref ops, low, high, imm >> 4));
    }

    // Two of four 64-bit elements.
    private static V Pair(ref TOps ops, V low, V high, ulong selectors)
        => ops.Vector(VectorOp.Shufpd, (selectors & 2) != 0 ? high : low, (selectors & 8) != 0 ? high : low, (byte)((selectors & 1) | (selectors >> 1 & 2)));

    [X86Instruction(Mnemonic.Vpermd, Mnemonic.Vpermps)]
    public static void Permute32(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn) || !Read(ref ops, in insn, insn.Op2, out V low, out V high))
            return;
        int selectors = insn.Op1.Register;
        V first = Pick(ref ops, low, high, Xmm(ref ops, selectors));
        V second = Pick(ref ops, low, high, High(ref ops, selectors));
        SetYmm(ref ops, insn.Op0.Register, first, second);
    }

    // Four of eight 32-bit elements: bits 1:0 of a selector choose in both halves, bit 2 between them.
    private static V Pick(ref TOps ops, V low, V high, V selectors)
        => ops.Vector(VectorOp.Blendvps, ops.Vector(VectorOp.Permilps, low, selectors), ops.Vector(VectorOp.Permilps, high, selectors),
            ops.Vector(VectorOp.PslldImm, selectors, 29));
}
