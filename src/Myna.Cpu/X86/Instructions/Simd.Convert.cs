using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Conversions whose source and destination differ in width, comparisons that give flags.</summary>
internal static partial class Simd<TOps, T, V>
{
    [VectorInstruction(VectorOp.Cvtss2si, Mnemonic.Cvtss2si, Mnemonic.Vcvtss2si)]
    [VectorInstruction(VectorOp.Cvttss2si, Mnemonic.Cvttss2si, Mnemonic.Vcvttss2si)]
    [VectorInstruction(VectorOp.Cvtsd2si, Mnemonic.Cvtsd2si, Mnemonic.Vcvtsd2si)]
    [VectorInstruction(VectorOp.Cvttsd2si, Mnemonic.Cvttsd2si, Mnemonic.Vcvttsd2si)]
    public static void ConvertToInteger(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn) || !Read(ref ops, in insn, insn.Op1, out V source))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        T value = ops.VectorToInteger(insn.Op0.Size == 8 ? op.Wide() : op, source);
        if (ops.RaiseSimd())
            ops.Set(X86Registers.Gpr(insn.Op0.Register), value);
    }

    [VectorInstruction(VectorOp.Ucomiss, Mnemonic.Ucomiss, Mnemonic.Vucomiss)]
    [VectorInstruction(VectorOp.Ucomisd, Mnemonic.Ucomisd, Mnemonic.Vucomisd)]
    [VectorInstruction(VectorOp.Comiss, Mnemonic.Comiss, Mnemonic.Vcomiss)]
    [VectorInstruction(VectorOp.Comisd, Mnemonic.Comisd, Mnemonic.Vcomisd)]
    public static void CompareScalar(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn) || !Read(ref ops, in insn, insn.Op1, out V b))
            return;
        T flags = ops.VectorCompare(X86Table.Operation(insn.Mnemonic), Xmm(ref ops, insn.Op0.Register), b);
        if (ops.RaiseSimd())
            Flags<TOps, T, V>.SetExplicit(ref ops, flags);
    }

    [VectorInstruction(VectorOp.Ptest, Mnemonic.Ptest, Mnemonic.Vptest)]
    [VectorInstruction(VectorOp.Testps, Mnemonic.Vtestps)]
    [VectorInstruction(VectorOp.Testpd, Mnemonic.Vtestpd)]
    public static void Test(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        V b, bHigh = default;
        if (!(insn.Is256 ? Read(ref ops, in insn, insn.Op1, out b, out bHigh) : Read(ref ops, in insn, insn.Op1, out b)))
            return;
        T flags = ops.VectorCompare(op, Xmm(ref ops, insn.Op0.Register), b);
        if (insn.Is256)
            flags = ops.And(flags, ops.VectorCompare(op, High(ref ops, insn.Op0.Register), bHigh));
        Flags<TOps, T, V>.SetExplicit(ref ops, flags);
    }

    /// <summary>Elements become two, four or eight times as wide.</summary>
    [VectorInstruction(VectorOp.Cvtps2pd, Mnemonic.Cvtps2pd, Mnemonic.Vcvtps2pd)]
    [VectorInstruction(VectorOp.Cvtdq2pd, Mnemonic.Cvtdq2pd, Mnemonic.Vcvtdq2pd)]
    [VectorInstruction(VectorOp.Cvtph2ps, Mnemonic.Vcvtph2ps)]
    [VectorInstruction(VectorOp.Pmovsxbw, Mnemonic.Pmovsxbw, Mnemonic.Vpmovsxbw)]
    [VectorInstruction(VectorOp.Pmovsxbd, Mnemonic.Pmovsxbd, Mnemonic.Vpmovsxbd)]
    [VectorInstruction(VectorOp.Pmovsxbq, Mnemonic.Pmovsxbq, Mnemonic.Vpmovsxbq)]
    [VectorInstruction(VectorOp.Pmovsxwd, Mnemonic.Pmovsxwd, Mnemonic.Vpmovsxwd)]
    [VectorInstruction(VectorOp.Pmovsxwq, Mnemonic.Pmovsxwq, Mnemonic.Vpmovsxwq)]
    [VectorInstruction(VectorOp.Pmovsxdq, Mnemonic.Pmovsxdq, Mnemonic.Vpmovsxdq)]
    [VectorInstruction(VectorOp.Pmovzxbw, Mnemonic.Pmovzxbw, Mnemonic.Vpmovzxbw)]
    [VectorInstruction(VectorOp.Pmovzxbd, Mnemonic.Pmovzxbd, Mnemonic.Vpmovzxbd)]
    [VectorInstruction(VectorOp.Pmovzxbq, Mnemonic.Pmovzxbq, Mnemonic.Vpmovzxbq)]
    [VectorInstruction(VectorOp.Pmovzxwd, Mnemonic.Pmovzxwd, Mnemonic.Vpmovzxwd)]
    [VectorInstruction(VectorOp.Pmovzxwq, Mnemonic.Pmovzxwq, Mnemonic.Vpmovzxwq)]
    [VectorInstruction(VectorOp.Pmovzxdq, Mnemonic.Pmovzxdq, Mnemonic.Vpmovzxdq)]
    public static void Widen(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn) || !Read(ref ops, in insn, insn.Op1, out V source))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        V low = ops.Vector(op, source), high = default;
        if (insn.Is256)
        {
            byte half = op switch
            {
                VectorOp.Pmovsxbd or VectorOp.Pmovzxbd or VectorOp.Pmovsxwq or VectorOp.Pmovzxwq => 4,
                VectorOp.Pmovsxbq or VectorOp.Pmovzxbq => 2,
                _ => 8,
            };
            high = ops.Vector(op, ops.Vector(VectorOp.Psrldq, source, half));
        }
        if (op.IsFloat() && !ops.RaiseSimd())
            return;
        if (insn.Is256)
            SetYmm(ref ops, insn.Op0.Register, low, high);
        else
            SetXmm(ref ops, in insn, insn.Op0.Register, low);
    }

    /// <summary>Elements become half as wide.</summary>
    [VectorInstruction(VectorOp.Cvtpd2ps, Mnemonic.Cvtpd2ps, Mnemonic.Vcvtpd2ps)]
    [VectorInstruction(VectorOp.Cvtpd2dq, Mnemonic.Cvtpd2dq, Mnemonic.Vcvtpd2dq)]
    [VectorInstruction(VectorOp.Cvttpd2dq, Mnemonic.Cvttpd2dq, Mnemonic.Vcvttpd2dq)]
    public static void Narrow(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        V low, high = default;
        if (!(insn.Is256 ? Read(ref ops, in insn, insn.Op1, out low, out high) : Read(ref ops, in insn, insn.Op1, out low)))
            return;
        V result = ops.Vector(op, low);
        if (insn.Is256)
            result = Low(ref ops, result, ops.Vector(op, high));
        if (ops.RaiseSimd())
            SetXmm(ref ops, in insn, insn.Op0.Register, result);
    }

    [X86Instruction(Mnemonic.Vcvtps2ph)]
    public static void ConvertToHalf(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        bool memory = insn.Op0.Kind == OperandKind.Memory;
        T target = default;
        if (memory && !Address(ref ops, in insn, insn.Op0.Size, write: true, out target))
            return;
        // A store that faults leaves MXCSR alone, which generated code cannot.
        if (memory && typeof(T) != typeof(ulong))
            ops.Unsupported();
        if (memory && !ops.ProbeWrite(target, insn.Op0.Size, alignment: insn.Op0.Size))
            return;
        int source = insn.Op1.Register;
        byte imm = (byte)insn.Immediate;
        V result = ops.Vector(VectorOp.Cvtps2ph, Xmm(ref ops, source), imm);
        if (insn.Is256)
            result = Low(ref ops, result, ops.Vector(VectorOp.Cvtps2ph, High(ref ops, source), imm));
        if (!ops.RaiseSimd())
            return;
        if (memory)
            ops.StoreVector(target, insn.Op0.Size, result);
        else
            SetXmm(ref ops, in insn, insn.Op0.Register, result);
    }
}
