using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Operations on each 128 bits whose operands are out of the ordinary.</summary>
internal static partial class Simd<TOps, T, V>
{
    /// <summary>Predicates have 3 bits in legacy encodings, 5 in VEX encodings.</summary>
    [VectorInstruction(VectorOp.Cmpps, Mnemonic.Cmpps, Mnemonic.Vcmpps)]
    [VectorInstruction(VectorOp.Cmppd, Mnemonic.Cmppd, Mnemonic.Vcmppd)]
    [VectorInstruction(VectorOp.Cmpss, Mnemonic.Cmpss, Mnemonic.Vcmpss)]
    [VectorInstruction(VectorOp.Cmpsd, Mnemonic.Vcmpsd)]
    [X86Form(Code.Cmpsd_xmm_xmmm64_imm8)]
    public static void Compare(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = insn.Code == Code.Cmpsd_xmm_xmmm64_imm8 ? VectorOp.Cmpsd : X86Table.Operation(insn.Mnemonic);
        Binary(ref ops, in insn, op, (byte)(insn.Immediate & (insn.IsVex ? 31u : 7u)));
    }

    [VectorInstruction(VectorOp.Psrlw, Mnemonic.Psrlw, Mnemonic.Vpsrlw)]
    [VectorInstruction(VectorOp.Psrld, Mnemonic.Psrld, Mnemonic.Vpsrld)]
    [VectorInstruction(VectorOp.Psrlq, Mnemonic.Psrlq, Mnemonic.Vpsrlq)]
    [VectorInstruction(VectorOp.Psraw, Mnemonic.Psraw, Mnemonic.Vpsraw)]
    [VectorInstruction(VectorOp.Psrad, Mnemonic.Psrad, Mnemonic.Vpsrad)]
    [VectorInstruction(VectorOp.Psllw, Mnemonic.Psllw, Mnemonic.Vpsllw)]
    [VectorInstruction(VectorOp.Pslld, Mnemonic.Pslld, Mnemonic.Vpslld)]
    [VectorInstruction(VectorOp.Psllq, Mnemonic.Psllq, Mnemonic.Vpsllq)]
    public static void Shift(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        Operand count = insn.IsVex ? insn.Op2 : insn.Op1;
        if (count.Kind == OperandKind.Immediate)
        {
            ShiftImmediate(ref ops, in insn, ByImmediate(op));
            return;
        }
        // One count for both halves.
        if (!Read(ref ops, in insn, count, out V b))
            return;
        int a = insn.IsVex ? insn.Op1.Register : insn.Op0.Register;
        V low = ops.Vector(op, Xmm(ref ops, a), b);
        if (insn.Is256)
            SetYmm(ref ops, insn.Op0.Register, low, ops.Vector(op, High(ref ops, a), b));
        else
            SetXmm(ref ops, in insn, insn.Op0.Register, low);
    }

    private static VectorOp ByImmediate(VectorOp op) => op switch
    {
        VectorOp.Psrlw => VectorOp.PsrlwImm,
        VectorOp.Psrld => VectorOp.PsrldImm,
        VectorOp.Psrlq => VectorOp.PsrlqImm,
        VectorOp.Psraw => VectorOp.PsrawImm,
        VectorOp.Psrad => VectorOp.PsradImm,
        VectorOp.Psllw => VectorOp.PsllwImm,
        VectorOp.Pslld => VectorOp.PslldImm,
        _ => VectorOp.PsllqImm,
    };

    [VectorInstruction(VectorOp.Psrldq, Mnemonic.Psrldq, Mnemonic.Vpsrldq)]
    [VectorInstruction(VectorOp.Pslldq, Mnemonic.Pslldq, Mnemonic.Vpslldq)]
    public static void ShiftBytes(ref TOps ops, in Insn insn)
    {
        if (Available(ref ops, in insn))
            ShiftImmediate(ref ops, in insn, X86Table.Operation(insn.Mnemonic));
    }

    private static void ShiftImmediate(ref TOps ops, in Insn insn, VectorOp op)
    {
        int a = insn.IsVex ? insn.Op1.Register : insn.Op0.Register;
        byte imm = (byte)insn.Immediate;
        V low = ops.Vector(op, Xmm(ref ops, a), imm);
        if (insn.Is256)
            SetYmm(ref ops, insn.Op0.Register, low, ops.Vector(op, High(ref ops, a), imm));
        else
            SetXmm(ref ops, in insn, insn.Op0.Register, low);
    }

    /// <summary>The selector is XMM0 in legacy encodings.</summary>
    [VectorInstruction(VectorOp.Blendvps, Mnemonic.Blendvps, Mnemonic.Vblendvps)]
    [VectorInstruction(VectorOp.Blendvpd, Mnemonic.Blendvpd, Mnemonic.Vblendvpd)]
    [VectorInstruction(VectorOp.Pblendvb, Mnemonic.Pblendvb, Mnemonic.Vpblendvb)]
    public static void BlendVariable(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        if (insn.Is256)
        {
            int a = insn.Op1.Register, c = insn.Op3.Register;
            if (Read(ref ops, in insn, insn.Op2, out V low, out V high))
            {
                SetYmm(ref ops, insn.Op0.Register,
                    ops.Vector(op, Xmm(ref ops, a), low, Xmm(ref ops, c)), ops.Vector(op, High(ref ops, a), high, High(ref ops, c)));
            }
        }
        else if (Read(ref ops, in insn, insn.IsVex ? insn.Op2 : insn.Op1, out V b))
        {
            V a = Xmm(ref ops, insn.IsVex ? insn.Op1.Register : insn.Op0.Register);
            SetXmm(ref ops, in insn, insn.Op0.Register, ops.Vector(op, a, b, Xmm(ref ops, insn.IsVex ? insn.Op3.Register : 0)));
        }
    }

    /// <summary>imm8[7:6] selects the source's element, unless that is in memory.</summary>
    [VectorInstruction(VectorOp.Insertps, Mnemonic.Insertps, Mnemonic.Vinsertps)]
    public static void InsertSingle(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        bool memory = (insn.IsVex ? insn.Op2 : insn.Op1).Kind == OperandKind.Memory;
        Binary(ref ops, in insn, VectorOp.Insertps, (byte)(insn.Immediate & (memory ? 0x3Fu : 0xFFu)));
    }

    [X86Instruction(Mnemonic.Sha256rnds2)]
    public static void Sha256Rounds(ref TOps ops, in Insn insn)
    {
        if (Available(ref ops, in insn) && Read(ref ops, in insn, insn.Op1, out V b))
            SetXmm(ref ops, in insn, insn.Op0.Register, ops.Vector(VectorOp.Sha256rnds2, Xmm(ref ops, insn.Op0.Register), b, Xmm(ref ops, 0)));
    }

    /// <summary>String comparisons: an index to ECX or a mask to XMM0, and flags. Their memory operand need not be aligned.</summary>
    [VectorInstruction(VectorOp.Pcmpestri, Mnemonic.Pcmpestri, Mnemonic.Vpcmpestri, Mnemonic.Pcmpestri64, Mnemonic.Vpcmpestri64)]
    [VectorInstruction(VectorOp.Pcmpestrm, Mnemonic.Pcmpestrm, Mnemonic.Vpcmpestrm, Mnemonic.Pcmpestrm64, Mnemonic.Vpcmpestrm64)]
    [VectorInstruction(VectorOp.Pcmpistri, Mnemonic.Pcmpistri, Mnemonic.Vpcmpistri)]
    [VectorInstruction(VectorOp.Pcmpistrm, Mnemonic.Pcmpistrm, Mnemonic.Vpcmpistrm)]
    public static void CompareStrings(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        V b;
        if (insn.Op1.Kind != OperandKind.Memory)
            b = Xmm(ref ops, insn.Op1.Register);
        else if (!Address(ref ops, in insn, 16, write: false, out T source) || !ops.LoadVector(source, 16, out b))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        bool wide = insn.Mnemonic is Mnemonic.Pcmpestri64 or Mnemonic.Vpcmpestri64 or Mnemonic.Pcmpestrm64 or Mnemonic.Vpcmpestrm64;
        ops.VectorString(op, Xmm(ref ops, insn.Op0.Register), b, ops.Get(X86Registers.Gpr(0)), ops.Get(X86Registers.Gpr(2)), wide,
            (byte)insn.Immediate, out T index, out V mask, out T flags);
        if (op is VectorOp.Pcmpestri or VectorOp.Pcmpistri)
            ops.Set(X86Registers.Gpr(1), index);
        else
            SetXmm(ref ops, in insn, 0, mask);
        Flags<TOps, T, V>.SetExplicit(ref ops, flags);
    }

    [X86Instruction(Mnemonic.Vzeroupper)]
    public static void ZeroUpper(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        // Outside of 64-bit mode only registers 0 to 7 (Intel SDM volume 2, VZEROUPPER).
        int count = ops.Mode.Is64 ? 16 : 8;
        for (int i = 0; i < count; i++)
            ops.SetVector(X86Registers.YmmHigh(i), ops.ZeroVector());
    }

    [X86Instruction(Mnemonic.Vzeroall)]
    public static void ZeroAll(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        int count = ops.Mode.Is64 ? 16 : 8;
        for (int i = 0; i < count; i++)
            SetYmm(ref ops, i, ops.ZeroVector(), ops.ZeroVector());
    }

    [X86Instruction(Mnemonic.Ldmxcsr, Mnemonic.Vldmxcsr)]
    public static void LoadMxcsr(ref TOps ops, in Insn insn)
    {
        if (Available(ref ops, in insn) && Address(ref ops, in insn, 4, write: false, out T source)
            && ops.Load(source, MemSize.B4, signed: false, out T value))
        {
            ops.SetMxcsr(value);
        }
    }

    [X86Instruction(Mnemonic.Stmxcsr, Mnemonic.Vstmxcsr)]
    public static void StoreMxcsr(ref TOps ops, in Insn insn)
    {
        if (Available(ref ops, in insn) && Address(ref ops, in insn, 4, write: true, out T target))
            ops.Store(target, MemSize.B4, ops.GetMxcsr());
    }

    // Ordinary memory has x86's own order; non-temporal stores are ordinary ones here.
    [X86Instruction(Mnemonic.Sfence, Mnemonic.Lfence, Mnemonic.Mfence)]
    public static void Fence(ref TOps ops, in Insn insn) => ops.Fence(storeLoad: insn.Mnemonic == Mnemonic.Mfence);

    /// <summary>Hints that change nothing and never fault.</summary>
    [X86Instruction(Mnemonic.Prefetch, Mnemonic.Prefetchw, Mnemonic.Prefetchwt1, Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2)]
    public static void Prefetch(ref TOps ops, in Insn insn)
    {
    }
}
