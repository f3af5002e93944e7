using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>D: double-precision floating point (unprivileged specification, chapter "D").</summary>
[Extension(Extension.D)]
public static class Double<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("imm[11:0] rs1 011 rd 0000111", "fld {frd}, {imm}({rs1})")]
    public static void Fld(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false)
            && ops.LoadFloat(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), FloatSize.F64, out T value))
        {
            ops.SetF(f.Rd, value);
        }
    }

    [Instruction("imm[11:5] rs2 rs1 011 imm[4:0] 0100111", "fsd {frs2}, {imm}({rs1})")]
    public static void Fsd(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.StoreFloat(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), FloatSize.F64, ops.F(f.Rs2));
    }

    [Instruction("rs3 01 rs2 rs1 rm rd 1000011", "fmadd.d {frd}, {frs1}, {frs2}, {frs3}{rm}")]
    public static void FmaddD(ref TOps ops, in Fields f)
        => MulAdd(ref ops, in f, negateProduct: false, negateAddend: false);

    [Instruction("rs3 01 rs2 rs1 rm rd 1000111", "fmsub.d {frd}, {frs1}, {frs2}, {frs3}{rm}")]
    public static void FmsubD(ref TOps ops, in Fields f)
        => MulAdd(ref ops, in f, negateProduct: false, negateAddend: true);

    [Instruction("rs3 01 rs2 rs1 rm rd 1001011", "fnmsub.d {frd}, {frs1}, {frs2}, {frs3}{rm}")]
    public static void FnmsubD(ref TOps ops, in Fields f)
        => MulAdd(ref ops, in f, negateProduct: true, negateAddend: false);

    [Instruction("rs3 01 rs2 rs1 rm rd 1001111", "fnmadd.d {frd}, {frs1}, {frs2}, {frs3}{rm}")]
    public static void FnmaddD(ref TOps ops, in Fields f)
        => MulAdd(ref ops, in f, negateProduct: true, negateAddend: true);

    [Instruction("00000 01 rs2 rs1 rm rd 1010011", "fadd.d {frd}, {frs1}, {frs2}{rm}")]
    public static void FaddD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FAdd(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2), f.Rounding));
    }

    [Instruction("00001 01 rs2 rs1 rm rd 1010011", "fsub.d {frd}, {frs1}, {frs2}{rm}")]
    public static void FsubD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FSub(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2), f.Rounding));
    }

    [Instruction("00010 01 rs2 rs1 rm rd 1010011", "fmul.d {frd}, {frs1}, {frs2}{rm}")]
    public static void FmulD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FMul(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2), f.Rounding));
    }

    [Instruction("00011 01 rs2 rs1 rm rd 1010011", "fdiv.d {frd}, {frs1}, {frs2}{rm}")]
    public static void FdivD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FDiv(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2), f.Rounding));
    }

    [Instruction("01011 01 00000 rs1 rm rd 1010011", "fsqrt.d {frd}, {frs1}{rm}")]
    public static void FsqrtD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FSqrt(FloatSize.F64, ops.F(f.Rs1), f.Rounding));
    }

    [Instruction("00100 01 rs2 rs1 000 rd 1010011", "fsgnj.d {frd}, {frs1}, {frs2}")]
    public static void FsgnjD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetF(f.Rd, ops.FSignCopy(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2)));
    }

    [Instruction("00100 01 rs2 rs1 001 rd 1010011", "fsgnjn.d {frd}, {frs1}, {frs2}")]
    public static void FsgnjnD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetF(f.Rd, ops.FSignNot(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2)));
    }

    [Instruction("00100 01 rs2 rs1 010 rd 1010011", "fsgnjx.d {frd}, {frs1}, {frs2}")]
    public static void FsgnjxD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetF(f.Rd, ops.FSignXor(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2)));
    }

    [Instruction("00101 01 rs2 rs1 000 rd 1010011", "fmin.d {frd}, {frs1}, {frs2}")]
    public static void FminD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetF(f.Rd, ops.FMin(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2)));
    }

    [Instruction("00101 01 rs2 rs1 001 rd 1010011", "fmax.d {frd}, {frs1}, {frs2}")]
    public static void FmaxD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetF(f.Rd, ops.FMax(FloatSize.F64, ops.F(f.Rs1), ops.F(f.Rs2)));
    }

    [Instruction("10100 01 rs2 rs1 000 rd 1010011", "fle.d {rd}, {frs1}, {frs2}")]
    public static void FleD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetX(f.Rd, ops.FCompare(FloatSize.F64, FloatCompare.LeSignalling, ops.F(f.Rs1), ops.F(f.Rs2)));
    }

    [Instruction("10100 01 rs2 rs1 001 rd 1010011", "flt.d {rd}, {frs1}, {frs2}")]
    public static void FltD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetX(f.Rd, ops.FCompare(FloatSize.F64, FloatCompare.LtSignalling, ops.F(f.Rs1), ops.F(f.Rs2)));
    }

    [Instruction("10100 01 rs2 rs1 010 rd 1010011", "feq.d {rd}, {frs1}, {frs2}")]
    public static void FeqD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: true))
            ops.SetX(f.Rd, ops.FCompare(FloatSize.F64, FloatCompare.EqQuiet, ops.F(f.Rs1), ops.F(f.Rs2)));
    }

    [Instruction("11100 01 00000 rs1 001 rd 1010011", "fclass.d {rd}, {frs1}")]
    public static void FclassD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetX(f.Rd, ops.FClass(FloatSize.F64, ops.F(f.Rs1)));
    }

    [Instruction("11000 01 00000 rs1 rm rd 1010011", "fcvt.w.d {rd}, {frs1}{rm}")]
    public static void FcvtWD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetX(f.Rd, ops.FToInt(FloatSize.F64, IntFormat.S32, ops.F(f.Rs1), f.Rounding));
    }

    [Instruction("11010 01 00000 rs1 rm rd 1010011", "fcvt.d.w {frd}, {rs1}{rne}")]
    public static void FcvtDW(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FFromInt(FloatSize.F64, IntFormat.S32, ops.X(f.Rs1), f.Rounding));
    }

    [Instruction("11000 01 00001 rs1 rm rd 1010011", "fcvt.wu.d {rd}, {frs1}{rm}")]
    public static void FcvtWuD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetX(f.Rd, ops.FToInt(FloatSize.F64, IntFormat.U32, ops.F(f.Rs1), f.Rounding));
    }

    [Instruction("11010 01 00001 rs1 rm rd 1010011", "fcvt.d.wu {frd}, {rs1}{rne}")]
    public static void FcvtDWu(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FFromInt(FloatSize.F64, IntFormat.U32, ops.X(f.Rs1), f.Rounding));
    }

    [Instruction("11000 01 00010 rs1 rm rd 1010011", "fcvt.l.d {rd}, {frs1}{rm}")]
    public static void FcvtLD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetX(f.Rd, ops.FToInt(FloatSize.F64, IntFormat.S64, ops.F(f.Rs1), f.Rounding));
    }

    [Instruction("11010 01 00010 rs1 rm rd 1010011", "fcvt.d.l {frd}, {rs1}{rm}")]
    public static void FcvtDL(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FFromInt(FloatSize.F64, IntFormat.S64, ops.X(f.Rs1), f.Rounding));
    }

    [Instruction("11000 01 00011 rs1 rm rd 1010011", "fcvt.lu.d {rd}, {frs1}{rm}")]
    public static void FcvtLuD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetX(f.Rd, ops.FToInt(FloatSize.F64, IntFormat.U64, ops.F(f.Rs1), f.Rounding));
    }

    [Instruction("11010 01 00011 rs1 rm rd 1010011", "fcvt.d.lu {frd}, {rs1}{rm}")]
    public static void FcvtDLu(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FFromInt(FloatSize.F64, IntFormat.U64, ops.X(f.Rs1), f.Rounding));
    }

    [Instruction("01000 00 00001 rs1 rm rd 1010011", "fcvt.s.d {frd}, {frs1}{rm}")]
    public static void FcvtSD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.BoxF32(ops.FConvert(FloatSize.F64, FloatSize.F32, ops.F(f.Rs1), f.Rounding)));
    }

    [Instruction("01000 01 00000 rs1 rm rd 1010011", "fcvt.d.s {frd}, {frs1}{rne}")]
    public static void FcvtDS(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(f.Rounding, flags: true))
            ops.SetF(f.Rd, ops.FConvert(FloatSize.F32, FloatSize.F64, ops.UnboxF32(ops.F(f.Rs1)), f.Rounding));
    }

    [Instruction("11100 01 00000 rs1 000 rd 1010011", "fmv.x.d {rd}, {frs1}")]
    public static void FmvXD(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetX(f.Rd, ops.FloatToBits(ops.F(f.Rs1), FloatSize.F64));
    }

    [Instruction("11110 01 00000 rs1 000 rd 1010011", "fmv.d.x {frd}, {rs1}")]
    public static void FmvDX(ref TOps ops, in Fields f)
    {
        if (ops.FloatEnabled(Rounding.NearestEven, flags: false))
            ops.SetF(f.Rd, ops.BitsToFloat(ops.X(f.Rs1), FloatSize.F64));
    }

    private static void MulAdd(ref TOps ops, in Fields f, bool negateProduct, bool negateAddend)
    {
        if (!ops.FloatEnabled(f.Rounding, flags: true))
            return;
        T a = ops.F(f.Rs1), b = ops.F(f.Rs2), c = ops.F(f.Rs3);
        ops.SetF(f.Rd, ops.FMulAdd(FloatSize.F64, a, b, c, negateProduct, negateAddend, f.Rounding));
    }
}
