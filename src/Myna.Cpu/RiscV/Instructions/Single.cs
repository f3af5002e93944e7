using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>F: single-precision floating point (unprivileged specification, chapter "F"). Values are NaN-boxed in 64-bit registers.</summary>
[Extension(Extension.F)]
public static class Single<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("imm[11:0] rs1 010 rd 0000111", "flw {frd}, {imm}({rs1})")]
    public static void Flw(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false)
            && ops.LoadFloat(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), FloatSize.F32, out T value))
        {
            ops.SetF(f.Rd, ops.BoxF32(value));
        }
    }

    [Instruction("imm[11:5] rs2 rs1 010 imm[4:0] 0100111", "fsw {frs2}, {imm}({rs1})")]
    public static void Fsw(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.StoreFloat(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), FloatSize.F32, ops.F(f.Rs2));
    }

    [Instruction("rs3 00 rs2 rs1 rm rd 1000011", "fmadd.s {frd}, {frs1}, {frs2}, {frs3}{rm}")]
    public static void FmaddS(ref TOps ops, in Fields f)
        => MulAdd(ref ops, in f, negateProduct: false, negateAddend: false);

    [Instruction("rs3 00 rs2 rs1 rm rd 1000111", "fmsub.s {frd}, {frs1}, {frs2}, {frs3}{rm}")]
    public static void FmsubS(ref TOps ops, in Fields f)
        => MulAdd(ref ops, in f, negateProduct: false, negateAddend: true);

    [Instruction("rs3 00 rs2 rs1 rm rd 1001011", "fnmsub.s {frd}, {frs1}, {frs2}, {frs3}{rm}")]
    public static void FnmsubS(ref TOps ops, in Fields f)
        => MulAdd(ref ops, in f, negateProduct: true, negateAddend: false);

    [Instruction("rs3 00 rs2 rs1 rm rd 1001111", "fnmadd.s {frd}, {frs1}, {frs2}, {frs3}{rm}")]
    public static void FnmaddS(ref TOps ops, in Fields f)
        => MulAdd(ref ops, in f, negateProduct: true, negateAddend: true);

    [Instruction("00000 00 rs2 rs1 rm rd 1010011", "fadd.s {frd}, {frs1}, {frs2}{rm}")]
    public static void FaddS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FAdd(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)), f.Rounding)));
    }

    [Instruction("00001 00 rs2 rs1 rm rd 1010011", "fsub.s {frd}, {frs1}, {frs2}{rm}")]
    public static void FsubS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FSub(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)), f.Rounding)));
    }

    [Instruction("00010 00 rs2 rs1 rm rd 1010011", "fmul.s {frd}, {frs1}, {frs2}{rm}")]
    public static void FmulS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FMul(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)), f.Rounding)));
    }

    [Instruction("00011 00 rs2 rs1 rm rd 1010011", "fdiv.s {frd}, {frs1}, {frs2}{rm}")]
    public static void FdivS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FDiv(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)), f.Rounding)));
    }

    [Instruction("01011 00 00000 rs1 rm rd 1010011", "fsqrt.s {frd}, {frs1}{rm}")]
    public static void FsqrtS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FSqrt(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), f.Rounding)));
    }

    [Instruction("00100 00 rs2 rs1 000 rd 1010011", "fsgnj.s {frd}, {frs1}, {frs2}")]
    public static void FsgnjS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetF(f.Rd, ops.BoxF32(ops.FSignCopy(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)))));
    }

    [Instruction("00100 00 rs2 rs1 001 rd 1010011", "fsgnjn.s {frd}, {frs1}, {frs2}")]
    public static void FsgnjnS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetF(f.Rd, ops.BoxF32(ops.FSignNot(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)))));
    }

    [Instruction("00100 00 rs2 rs1 010 rd 1010011", "fsgnjx.s {frd}, {frs1}, {frs2}")]
    public static void FsgnjxS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetF(f.Rd, ops.BoxF32(ops.FSignXor(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)))));
    }

    [Instruction("00101 00 rs2 rs1 000 rd 1010011", "fmin.s {frd}, {frs1}, {frs2}")]
    public static void FminS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FMin(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)))));
    }

    [Instruction("00101 00 rs2 rs1 001 rd 1010011", "fmax.s {frd}, {frs1}, {frs2}")]
    public static void FmaxS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FMax(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2)))));
    }

    [Instruction("10100 00 rs2 rs1 000 rd 1010011", "fle.s {rd}, {frs1}, {frs2}")]
    public static void FleS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetX(f.Rd, ops.FCompare(FloatSize.F32, FloatCompare.LeSignalling, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2))));
    }

    [Instruction("10100 00 rs2 rs1 001 rd 1010011", "flt.s {rd}, {frs1}, {frs2}")]
    public static void FltS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetX(f.Rd, ops.FCompare(FloatSize.F32, FloatCompare.LtSignalling, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2))));
    }

    [Instruction("10100 00 rs2 rs1 010 rd 1010011", "feq.s {rd}, {frs1}, {frs2}")]
    public static void FeqS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetX(f.Rd, ops.FCompare(FloatSize.F32, FloatCompare.EqQuiet, ops.UnboxF32(ops.F(f.Rs1)), ops.UnboxF32(ops.F(f.Rs2))));
    }

    [Instruction("11100 00 00000 rs1 001 rd 1010011", "fclass.s {rd}, {frs1}")]
    public static void FclassS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetX(f.Rd, ops.FClass(FloatSize.F32, ops.UnboxF32(ops.F(f.Rs1))));
    }

    [Instruction("11000 00 00000 rs1 rm rd 1010011", "fcvt.w.s {rd}, {frs1}{rm}")]
    public static void FcvtWS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetX(f.Rd, ops.FToInt(FloatSize.F32, IntFormat.S32, ops.UnboxF32(ops.F(f.Rs1)), f.Rounding));
    }

    [Instruction("11010 00 00000 rs1 rm rd 1010011", "fcvt.s.w {frd}, {rs1}{rm}")]
    public static void FcvtSW(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FFromInt(FloatSize.F32, IntFormat.S32, ops.X(f.Rs1), f.Rounding)));
    }

    [Instruction("11000 00 00001 rs1 rm rd 1010011", "fcvt.wu.s {rd}, {frs1}{rm}")]
    public static void FcvtWuS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetX(f.Rd, ops.FToInt(FloatSize.F32, IntFormat.U32, ops.UnboxF32(ops.F(f.Rs1)), f.Rounding));
    }

    [Instruction("11010 00 00001 rs1 rm rd 1010011", "fcvt.s.wu {frd}, {rs1}{rm}")]
    public static void FcvtSWu(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FFromInt(FloatSize.F32, IntFormat.U32, ops.X(f.Rs1), f.Rounding)));
    }

    [Instruction("11000 00 00010 rs1 rm rd 1010011", "fcvt.l.s {rd}, {frs1}{rm}")]
    public static void FcvtLS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetX(f.Rd, ops.FToInt(FloatSize.F32, IntFormat.S64, ops.UnboxF32(ops.F(f.Rs1)), f.Rounding));
    }

    [Instruction("11010 00 00010 rs1 rm rd 1010011", "fcvt.s.l {frd}, {rs1}{rm}")]
    public static void FcvtSL(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FFromInt(FloatSize.F32, IntFormat.S64, ops.X(f.Rs1), f.Rounding)));
    }

    [Instruction("11000 00 00011 rs1 rm rd 1010011", "fcvt.lu.s {rd}, {frs1}{rm}")]
    public static void FcvtLuS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetX(f.Rd, ops.FToInt(FloatSize.F32, IntFormat.U64, ops.UnboxF32(ops.F(f.Rs1)), f.Rounding));
    }

    [Instruction("11010 00 00011 rs1 rm rd 1010011", "fcvt.s.lu {frd}, {rs1}{rm}")]
    public static void FcvtSLu(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FFromInt(FloatSize.F32, IntFormat.U64, ops.X(f.Rs1), f.Rounding)));
    }

    [Instruction("11100 00 00000 rs1 000 rd 1010011", "fmv.x.w {rd}, {frs1}")]
    public static void FmvXW(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetX(f.Rd, ops.SignExtend(ops.FloatToBits(ops.F(f.Rs1), FloatSize.F32), MemSize.B4));
    }

    [Instruction("11110 00 00000 rs1 000 rd 1010011", "fmv.w.x {frd}, {rs1}")]
    public static void FmvWX(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetF(f.Rd, ops.BoxF32(ops.BitsToFloat(ops.X(f.Rs1), FloatSize.F32)));
    }

    private static void MulAdd(ref TOps ops, in Fields f, bool negateProduct, bool negateAddend)
    {
        if (!ops.FloatEnabled(f.Rounding, flags: true))
            return;
        T a = ops.UnboxF32(ops.F(f.Rs1)), b = ops.UnboxF32(ops.F(f.Rs2)), c = ops.UnboxF32(ops.F(f.Rs3));
        ops.SetF(f.Rd, ops.BoxF32(ops.FMulAdd(FloatSize.F32, a, b, c, negateProduct, negateAddend, f.Rounding)));
    }
}
