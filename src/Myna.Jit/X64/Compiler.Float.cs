using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

internal sealed partial class Compiler
{
    // VEX prefix numbers: scalar operations select the format by F3 (single) or F2 (double), packed and compares by none or 66.
    private static int Scalar(int size) => size == 0 ? 2 : 3;
    private static int Packed(int size) => size == 0 ? 0 : 1;

    private void EmitFloat(in Instruction n, int i)
    {
        switch (n.Op)
        {
            case Op.FloatToBits: EmitFloatToBits(n, i); break;
            case Op.BitsToFloat: EmitBitsToFloat(n, i); break;
            case Op.BoxF32: EmitBox(n, i); break;
            case Op.UnboxF32: EmitUnbox(n, i); break;
            case Op.FAdd: EmitArithmetic(n, i, 0x58); break;
            case Op.FSub: EmitArithmetic(n, i, 0x5C); break;
            case Op.FMul: EmitArithmetic(n, i, 0x59); break;
            case Op.FDiv: EmitArithmetic(n, i, 0x5E); break;
            case Op.FSqrt: EmitSqrt(n, i); break;
            case Op.FMulAdd: EmitMulAdd(n, i); break;
            case Op.FMin or Op.FMax: EmitMinMax(n, i); break;
            case Op.FSignCopy or Op.FSignNot or Op.FSignXor: EmitSign(n, i); break;
            case Op.FCompare: EmitFCompare(n, i); break;
            case Op.FToInt: EmitToInt(n, i); break;
            case Op.FFromInt: EmitFromInt(n, i); break;
            case Op.FConvert: EmitConvert(n, i); break;
            default: throw new InvalidOperationException($"no code for {n.Op}");
        }
    }

    private void EmitFloatToBits(in Instruction n, int i)
    {
        int x = Use(n.A);
        int dst = Destination(n);
        _hot.VexRR(1, 1, 0x7E, x & 15, 0, dst, w: n.Size != 0);
        Define(n, i, dst);
    }

    private void EmitBitsToFloat(in Instruction n, int i)
    {
        int r = Use(n.A);
        int dst = Destination(n);
        _hot.VexRR(1, 1, 0x6E, dst & 15, 0, r, w: n.Size != 0);
        Define(n, i, dst);
    }

    private void EmitBox(in Instruction n, int i)
    {
        int x = Use(n.A);
        int dst = Destination(n, x);
        _hot.VexRM(1, 0, 0x56, dst & 15, x & 15, Context(Constants.Box));
        Define(n, i, dst);
    }

    private void EmitUnbox(in Instruction n, int i)
    {
        int x = Use(n.A);
        int t = Allocate(false);
        int dst = Destination(n, x);
        _hot.VexRR(1, 1, 0x7E, x & 15, 0, t, w: true);
        _hot.ShiftImm(7, t, 32);
        _hot.AluImm(Assembler.Cmp, t, -1, w: false);
        int odd = HotJcc(CC.NE);
        MoveReg(_hot, dst, x);
        int join = odd;
        BindCold(join);
        _cold.VexRM(1, 2, 0x10, dst & 15, 0, Context(Constants.NanF32));
        ColdJmpHot();
        Define(n, i, dst);
    }

    /// <summary>Every NaN result is the canonical one: its generation lies out of line.</summary>
    private void Canonicalize(int size, int reg)
    {
        _hot.VexRR(1, Packed(size), 0x2E, reg & 15, 0, reg & 15);
        BindCold(HotJcc(CC.P));
        _cold.VexRM(1, Scalar(size), 0x10, reg & 15, 0, Context(size == 0 ? Constants.NanF32 : Constants.NanF64));
        ColdJmpHot();
    }

    private void EmitArithmetic(in Instruction n, int i, int opcode)
    {
        int a = Use(n.A);
        if (n.Size != 0 && n.A != n.B && IsMemory(n.B))
        {
            int d = Destination(n, a);
            _hot.VexRM(1, 3, opcode, d & 15, a & 15, MemoryOf(n.B));
            Canonicalize(n.Size, d);
            Define(n, i, d);
            return;
        }
        int b = Use(n.B);
        int dst = Destination(n, a);
        _hot.VexRR(1, Scalar(n.Size), opcode, dst & 15, a & 15, b & 15);
        Canonicalize(n.Size, dst);
        Define(n, i, dst);
    }

    private void EmitSqrt(in Instruction n, int i)
    {
        int a = Use(n.A);
        int dst = Destination(n, a);
        _hot.VexRR(1, Scalar(n.Size), 0x51, dst & 15, a & 15, a & 15);
        Canonicalize(n.Size, dst);
        Define(n, i, dst);
    }

    private void EmitMulAdd(in Instruction n, int i)
    {
        int a = Use(n.A), b = Use(n.B), c = Use(n.C);
        int t = Allocate(true);
        // t = ±(t × b) ± c, form 213.
        int opcode = n.Aux switch { 0 => 0xA9, 1 => 0xAD, 2 => 0xAB, _ => 0xAF };
        MoveReg(_hot, t, a);
        _hot.VexRR(2, 1, opcode, t & 15, b & 15, c & 15, w: n.Size != 0);
        _hot.VexRR(1, Packed(n.Size), 0x2E, t & 15, 0, t & 15);
        BindCold(HotJcc(CC.P));
        // Infinity × 0 + quiet NaN raises invalid in RISC-V but not here.
        ColdFallback(n);
        TakeFloat(n, i, t);
    }

    private void TakeFloat(in Instruction n, int i, int reg)
    {
        int dst = HintedOr(n, reg);
        MoveReg(_hot, dst, reg);
        Define(n, i, dst);
    }

    private void EmitMinMax(in Instruction n, int i)
    {
        bool min = n.Op == Op.FMin;
        int a = Use(n.A), b = Use(n.B);
        int t = Allocate(true);
        _hot.VexRR(1, Packed(n.Size), 0x2E, a & 15, 0, b & 15);
        BindCold(HotJcc(CC.P));
        ColdFallback(n);
        int equal = HotJcc(CC.E);
        _hot.VexRR(1, Scalar(n.Size), min ? 0x5D : 0x5F, t & 15, a & 15, b & 15);
        BindCold(equal);
        // Equal numbers differ at most in the sign of zero: -0 is the smaller.
        _cold.VexRR(1, 0, min ? 0x56 : 0x54, t & 15, a & 15, b & 15);
        ColdJmpHot();
        TakeFloat(n, i, t);
    }

    private void EmitSign(in Instruction n, int i)
    {
        int sign = n.Size == 0 ? Constants.SignF32 : Constants.SignF64;
        int a = Use(n.A);
        if (n.A == n.B && n.Op == Op.FSignNot)
        {
            int d = Destination(n, a);
            _hot.VexRM(1, 0, 0x57, d & 15, a & 15, Context(sign));
            Define(n, i, d);
            return;
        }
        int b = Use(n.B);
        int s = Allocate(true), t = Allocate(true);
        int dst = Destination(n, a);
        _hot.VexRM(1, 3, 0x10, s & 15, 0, Context(sign));
        // The sign that the result gets, in t; the magnitude in s.
        switch (n.Op)
        {
            case Op.FSignCopy: _hot.VexRR(1, 0, 0x54, t & 15, b & 15, s & 15); break;
            case Op.FSignNot: _hot.VexRR(1, 0, 0x55, t & 15, b & 15, s & 15); break;
            default:
                _hot.VexRR(1, 0, 0x57, t & 15, a & 15, b & 15);
                _hot.VexRR(1, 0, 0x54, t & 15, t & 15, s & 15);
                break;
        }
        _hot.VexRR(1, 0, 0x55, s & 15, s & 15, a & 15);
        _hot.VexRR(1, 0, 0x56, dst & 15, s & 15, t & 15);
        Define(n, i, dst);
    }

    private void EmitFCompare(in Instruction n, int i)
    {
        FloatCompare compare = (FloatCompare)(n.Aux & ~Instruction.CheckNaN);
        int a = Use(n.A), b = Use(n.B);
        if ((n.Aux & Instruction.CheckNaN) != 0)
        {
            EmitQuietCompare(n, i, compare, a, b);
            return;
        }
        int dst = Destination(n);
        if (compare == FloatCompare.EqQuiet)
        {
            int x = Allocate(true);
            // VCMPSS/SD with predicate EQ_OQ: all ones or zero.
            _hot.VexRR(1, Scalar(n.Size), 0xC2, x & 15, a & 15, b & 15);
            _hot.Byte(0);
            _hot.VexRR(1, 1, 0x7E, x & 15, 0, dst);
            _hot.AluImm(Assembler.And, dst, 1, w: false);
        }
        else
        {
            bool quiet = compare is FloatCompare.LtQuiet or FloatCompare.LeQuiet;
            bool less = compare is FloatCompare.LtQuiet or FloatCompare.LtSignalling;
            _hot.Alu(Assembler.Xor, dst, dst, w: false);
            _hot.VexRR(1, Packed(n.Size), quiet ? 0x2E : 0x2F, b & 15, 0, a & 15);
            _hot.SetCC(less ? CC.A : CC.AE, dst);
        }
        Define(n, i, dst);
    }

    // A NaN leaves the block: the interpreter executes the comparison, and what restores the flags comes in a block of its own.
    private void EmitQuietCompare(in Instruction n, int i, FloatCompare compare, int a, int b)
    {
        int t = Allocate(false);
        _hot.Alu(Assembler.Xor, t, t, w: false);
        bool equal = compare == FloatCompare.EqQuiet;
        bool less = compare is FloatCompare.LtQuiet or FloatCompare.LtSignalling;
        _hot.VexRR(1, Packed(n.Size), 0x2E, b & 15, 0, a & 15);
        BindCold(HotJcc(CC.P));
        ColdFallback(n);
        _hot.SetCC(equal ? CC.E : less ? CC.A : CC.AE, t);
        TakeFrom(n, i, t);
    }

    private void EmitReadFlags(in Instruction n, int i)
    {
        int t = Allocate(false);
        int dst = Destination(n);
        _hot.Stmxcsr(Context(24));
        _hot.Load32(t, Context(24));
        _hot.AluImm(Assembler.And, t, 0x3F, w: false);
        _hot.RM(Assembler.Esc | 0xB6, dst, new Mem(Reg.Rbp, FlagTables.ToFlags - CpuBlock.Bias, t), w: false);
        Define(n, i, dst);
    }

    private void EmitWriteFlags(in Instruction n)
    {
        int v = Use(n.A);
        int t = Allocate(false);
        _hot.Stmxcsr(Context(24));
        _hot.Mov32(t, v);
        _hot.AluImm(Assembler.And, t, 31, w: false);
        _hot.RM(Assembler.Esc | 0xB6, t, new Mem(Reg.Rbp, FlagTables.ToMxcsr - CpuBlock.Bias, t), w: false);
        _hot.AluImm(Assembler.And, Context(24), ~0x3F, w: false);
        _hot.AluTo(Assembler.Or, Context(24), t, w: false);
        _hot.Ldmxcsr(Context(24));
        ReleaseOperands(n);
    }

    private void EmitToInt(in Instruction n, int i)
    {
        IntFormat to = (IntFormat)n.Aux;
        Rounding rounding = (Rounding)n.Mode;
        bool wide = to != IntFormat.S32;
        int a = Use(n.A);
        int t = Allocate(false);
        if (to is IntFormat.U32 or IntFormat.U64)
        {
            // What lies outside of the format is left to the interpreter before a flag is raised.
            _hot.VexRM(1, Packed(n.Size), 0x2E, a & 15, 0, Context(n.Size == 0 ? Constants.MinusOneF32 : Constants.MinusOneF64));
            BindCold(HotJcc(CC.BE));
            int limit = to == IntFormat.U32
                ? (n.Size == 0 ? Constants.TwoTo32F32 : Constants.TwoTo32F64)
                : (n.Size == 0 ? Constants.TwoTo63F32 : Constants.TwoTo63F64);
            _hot.VexRM(1, Packed(n.Size), 0x2E, a & 15, 0, Context(limit));
            BindCold(HotJcc(CC.AE));
            ColdFallback(n);
        }
        int x = a;
        if (rounding is Rounding.NearestEven or Rounding.Down or Rounding.Up)
        {
            x = Allocate(true);
            _hot.VexRR(3, 1, n.Size == 0 ? 0x0A : 0x0B, x & 15, a & 15, a & 15);
            _hot.Byte(rounding switch { Rounding.NearestEven => 0, Rounding.Down => 1, _ => 2 });
        }
        _hot.VexRR(1, Scalar(n.Size), rounding == Rounding.Dynamic ? 0x2D : 0x2C, t, 0, x & 15, w: wide);
        if (to is IntFormat.S32 or IntFormat.S64)
        {
            // The host's answer to what does not fit is the most negative number: 1 less overflows.
            _hot.AluImm(Assembler.Cmp, t, 1, wide);
            BindCold(HotJcc(CC.O));
            ColdFallback(n);
        }
        if (to is IntFormat.S32 or IntFormat.U32)
            _hot.RR(0x63, t, t);
        TakeFrom(n, i, t);
    }

    private void EmitFromInt(in Instruction n, int i)
    {
        IntFormat from = (IntFormat)n.Aux;
        int a = Use(n.A);
        int source = a;
        if (from == IntFormat.U32)
        {
            source = Allocate(false);
            _hot.Mov32(source, a);
        }
        else if (from == IntFormat.U64)
        {
            _hot.Test(a, a);
            BindCold(HotJcc(CC.S));
            ColdFallback(n);
        }
        int dst = Destination(n);
        _hot.VexRR(1, 0, 0x57, dst & 15, dst & 15, dst & 15);
        _hot.VexRR(1, Scalar(n.Size), 0x2A, dst & 15, dst & 15, source, w: from != IntFormat.S32);
        Define(n, i, dst);
    }

    private void EmitConvert(in Instruction n, int i)
    {
        int a = Use(n.A);
        int dst = Destination(n, a);
        if (n.Size != n.Aux)
        {
            _hot.VexRR(1, Scalar(n.Size), 0x5A, dst & 15, a & 15, a & 15);
            Canonicalize(n.Aux, dst);
        }
        else
        {
            MoveReg(_hot, dst, a);
        }
        Define(n, i, dst);
    }
}
