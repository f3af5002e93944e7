using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

internal sealed partial class Compiler
{
    private static CC ToCC(Cond cond) => cond switch
    {
        Cond.Eq => CC.E,
        Cond.Ne => CC.NE,
        Cond.LtS => CC.L,
        Cond.GeS => CC.GE,
        Cond.LtU => CC.B,
        _ => CC.AE,
    };

    /// <summary>The condition with its operands exchanged.</summary>
    private static CC Swapped(CC cc) => cc switch
    {
        CC.L => CC.G,
        CC.GE => CC.LE,
        CC.B => CC.A,
        CC.AE => CC.BE,
        _ => cc,
    };

    /// <summary>op reg, v with v as immediate, memory or register.</summary>
    private void AluValue(int op, int reg, int v)
    {
        if (_location[v] < 0 && IsImm32(v, out int imm))
            _hot.AluImm(op, reg, imm);
        else if (IsMemory(v))
            _hot.Alu(op, reg, MemoryOf(v));
        else
            _hot.Alu(op, reg, Use(v));
    }

    /// <summary>Gets v ready to be an operand without clobbering anything later.</summary>
    private void Prepare(int v)
    {
        if (_location[v] >= 0 || (!IsImm32(v, out _) && !IsMemory(v)))
            Use(v);
    }

    private void EmitAdd(in Instruction n, int i)
    {
        int a = n.A, b = n.B;
        if (IsImm32(b, out int imm))
        {
            int ra = Use(a);
            int dst = Destination(n, ra);
            if (dst == ra)
                _hot.AluImm(Assembler.Add, dst, imm);
            else
                _hot.Lea(dst, new Mem(ra, imm));
            Define(n, i, dst);
            return;
        }
        if (_location[a] < 0 || (IsMemory(a) && !IsMemory(b)))
            (a, b) = (b, a);
        if (IsMemory(b) && a != b)
        {
            int ra = Use(a);
            int dst = Destination(n, ra);
            _hot.Mov(dst, ra);
            _hot.Alu(Assembler.Add, dst, MemoryOf(b));
            Define(n, i, dst);
            return;
        }
        int x = Use(a), y = Use(b);
        int d = Destination(n, IsTemp(x) && DiesHere(a) ? x : y);
        if (d == x)
            _hot.Alu(Assembler.Add, d, y);
        else if (d == y)
            _hot.Alu(Assembler.Add, d, x);
        else
            _hot.Lea(d, new Mem(x, 0, y));
        Define(n, i, d);
    }

    private void EmitBinary(in Instruction n, int i, int op, bool commutative)
    {
        int a = n.A, b = n.B;
        if (commutative && _code[b].Op != Op.Const && (_location[a] < 0 || (_location[b] >= 0 && IsTemp(_location[b]) && DiesHere(b) && !DiesHere(a))))
            (a, b) = (b, a);
        if (op == Assembler.And && IsConst(b, out ulong mask) && mask == uint.MaxValue)
        {
            int from = Use(a);
            int to = Destination(n, from);
            _hot.Mov32(to, from);
            Define(n, i, to);
            return;
        }
        int ra = Use(a);
        Prepare(b);
        int rb = _location[b];
        int dst = Destination(n, ra);
        if (dst == rb && dst != ra)
        {
            if (commutative)
            {
                _hot.Alu(op, dst, ra);
            }
            else
            {
                // Sub alone: a - b = -(b - a).
                _hot.Alu(op, dst, ra);
                _hot.RR(0xF7, 3, dst);
            }
        }
        else
        {
            _hot.Mov(dst, ra);
            AluValue(op, dst, b);
        }
        Define(n, i, dst);
    }

    private void EmitMul(in Instruction n, int i)
    {
        int a = n.A, b = n.B;
        if (IsImm32(b, out int imm))
        {
            int src = Use(a);
            int to = Destination(n, src);
            _hot.RR(imm == (sbyte)imm ? 0x6B : 0x69, to, src);
            if (imm == (sbyte)imm)
                _hot.Byte(imm);
            else
                _hot.Dword(imm);
            Define(n, i, to);
            return;
        }
        int ra = Use(a), rb = Use(b);
        int dst = Destination(n, ra);
        if (dst == rb)
        {
            _hot.RR(Assembler.Esc | 0xAF, dst, ra);
        }
        else
        {
            _hot.Mov(dst, ra);
            _hot.RR(Assembler.Esc | 0xAF, dst, rb);
        }
        Define(n, i, dst);
    }

    private void EmitMulHigh(in Instruction n, int i)
    {
        Claim(Reg.Rax);
        Claim(Reg.Rdx);
        int ra = Use(n.A), rb = Use(n.B);
        _hot.Mov(Reg.Rax, ra);
        // MUL or IMUL rdx:rax = rax × rb.
        _hot.RR(0xF7, n.Op == Op.MulHighS ? 5 : 4, rb);
        if (n.Op == Op.MulHighSU)
        {
            // Signed a: subtract b from the upper half when a is negative.
            _hot.Mov(Reg.Rax, ra);
            _hot.ShiftImm(7, Reg.Rax, 63);
            _hot.Alu(Assembler.And, Reg.Rax, rb);
            _hot.Alu(Assembler.Sub, Reg.Rdx, Reg.Rax);
        }
        TakeFrom(n, i, Reg.Rdx);
    }

    // The result lies in a claimed register: move it to the pinned register that wants it, or leave it there.
    private void TakeFrom(in Instruction n, int i, int reg)
    {
        int dst = HintedOr(n, reg);
        _hot.Mov(dst, reg);
        Define(n, i, dst);
    }

    private void EmitDivide(in Instruction n, int i)
    {
        bool signed = n.Op is Op.DivS or Op.RemS;
        bool quotient = n.Op is Op.DivS or Op.DivU;
        Claim(Reg.Rax);
        Claim(Reg.Rdx);
        int ra = Use(n.A), rb = Use(n.B);
        int t = signed ? Allocate(false) : -1;
        if (signed)
        {
            // 0 and -1 need care: the host faults where RISC-V defines results.
            _hot.Lea(t, new Mem(rb, 1));
            _hot.AluImm(Assembler.Cmp, t, 1);
        }
        else
        {
            _hot.Test(rb, rb);
        }
        int special = HotJcc(signed ? CC.BE : CC.E);
        _hot.Mov(Reg.Rax, ra);
        if (signed)
        {
            // CQO.
            _hot.Byte(0x48);
            _hot.Byte(0x99);
            _hot.RR(0xF7, 7, rb);
        }
        else
        {
            _hot.Alu(Assembler.Xor, Reg.Rdx, Reg.Rdx, w: false);
            _hot.RR(0xF7, 6, rb);
        }
        BindCold(special);
        int result = quotient ? Reg.Rax : Reg.Rdx;
        Assembler c = _cold;
        if (!signed)
        {
            if (quotient)
                c.MovImm(Reg.Rax, ulong.MaxValue);
            else
                c.Mov(Reg.Rdx, ra);
        }
        else
        {
            // t = b + 1 is 1 for 0 and 0 for -1.
            if (quotient)
            {
                // 0: -1. -1: -a.
                c.Mov(Reg.Rax, ra);
                c.RR(0xF7, 3, Reg.Rax);
                c.MovImm(Reg.Rdx, ulong.MaxValue);
                c.Test(t, t);
                c.CMov(CC.NE, Reg.Rax, Reg.Rdx);
            }
            else
            {
                // 0: a. -1: 0.
                c.MovImm(Reg.Rdx, 0);
                c.Test(t, t);
                c.CMov(CC.NE, Reg.Rdx, ra);
            }
        }
        ColdJmpHot();
        TakeFrom(n, i, result);
    }

    private void EmitNot(in Instruction n, int i)
    {
        int ra = Use(n.A);
        int dst = Destination(n, ra);
        _hot.Mov(dst, ra);
        _hot.RR(0xF7, 2, dst);
        Define(n, i, dst);
    }

    private void EmitShift(in Instruction n, int i)
    {
        int group = n.Op switch { Op.Shl => 4, Op.ShrU => 5, _ => 7 };
        if (IsConst(n.B, out ulong count))
        {
            int src = Use(n.A);
            int to = Destination(n, src);
            if (group == 4 && count == 1 && to != src)
            {
                _hot.Lea(to, new Mem(src, 0, src));
            }
            else
            {
                _hot.Mov(to, src);
                _hot.ShiftImm(group, to, (int)(count & 63));
            }
            Define(n, i, to);
            return;
        }
        int ra = Use(n.A), rb = Use(n.B);
        int dst = Destination(n, ra);
        // SHLX, SHRX, SARX leave source and count alone.
        _hot.VexRR(2, n.Op switch { Op.Shl => 1, Op.ShrU => 3, _ => 2 }, 0xF7, dst, rb, ra, w: true);
        Define(n, i, dst);
    }

    private void EmitAddShifted(in Instruction n, int i)
    {
        int ra = Use(n.A), rb = Use(n.B);
        int dst = Destination(n, ra);
        _hot.Lea(dst, new Mem(ra, 0, rb, n.Aux));
        Define(n, i, dst);
    }

    private void EmitShift32(in Instruction n, int i)
    {
        if (IsConst(n.B, out ulong count))
        {
            int src = Use(n.A);
            int to = Destination(n, src);
            _hot.Mov32(to, src);
            _hot.ShiftImm(5, to, (int)(count & 31), w: false);
            Define(n, i, to);
            return;
        }
        int ra = Use(n.A), rb = Use(n.B);
        int dst = Destination(n, ra);
        _hot.VexRR(2, 3, 0xF7, dst, rb, ra);
        Define(n, i, dst);
    }

    private void EmitRotate(in Instruction n, int i)
    {
        bool wide = n.Op == Op.RotateRight;
        if (IsConst(n.B, out ulong count))
        {
            int src = Use(n.A);
            int to = Destination(n, src);
            _hot.Rorx(to, src, (int)(count & (wide ? 63u : 31u)), wide);
            Define(n, i, to);
            return;
        }
        Claim(Reg.Rcx);
        int ra = Use(n.A), rb = Use(n.B);
        int dst = Allocate(false);
        _hot.Mov(Reg.Rcx, rb);
        _hot.Mov(dst, ra);
        _hot.RR(0xD3, 1, dst, wide);
        TakeFrom(n, i, dst);
    }

    private void EmitExtend(in Instruction n, int i)
    {
        bool signed = n.Op == Op.SignExtend;
        MemSize size = (MemSize)n.Size;
        int ra = Use(n.A);
        int dst = Destination(n, ra);
        Extend(_hot, dst, ra, size, signed);
        Define(n, i, dst);
    }

    private static void Extend(Assembler a, int dst, int src, MemSize size, bool signed)
    {
        switch (size)
        {
            case MemSize.B1: a.RR(Assembler.Esc | (signed ? 0xBE : 0xB6), dst, src, w: signed, force: src >= 4); break;
            case MemSize.B2: a.RR(Assembler.Esc | (signed ? 0xBF : 0xB7), dst, src, w: signed); break;
            case MemSize.B4: a.RR(signed ? 0x63 : 0x8B, dst, src, w: signed); break;
            default: a.Mov(dst, src); break;
        }
    }

    /// <summary>Compares two values and says which condition then means <paramref name="cond"/>.</summary>
    private CC Compare(Cond cond, int a, int b)
    {
        CC cc = ToCC(cond);
        if (_code[a].Op == Op.Const && _code[b].Op != Op.Const)
        {
            (a, b) = (b, a);
            cc = Swapped(cc);
        }
        if (IsMemory(a) && _code[b].Op == Op.Const && IsImm32(b, out int imm))
        {
            _hot.AluImm(Assembler.Cmp, MemoryOf(a), imm);
            return cc;
        }
        if (IsMemory(a) && !IsMemory(b) && _code[b].Op != Op.Const)
        {
            int rb = Use(b);
            _hot.AluTo(Assembler.Cmp, MemoryOf(a), rb);
            return cc;
        }
        int ra = Use(a);
        if (IsConst(b, out ulong value) && value == 0)
        {
            _hot.Test(ra, ra);
            return cc;
        }
        AluValue(Assembler.Cmp, ra, b);
        return cc;
    }

    private void EmitSetCond(in Instruction n, int i)
    {
        Prepare(n.A);
        Prepare(n.B);
        int dst = Destination(n);
        bool clear = dst != _location[n.A] && dst != _location[n.B];
        if (clear)
            _hot.Alu(Assembler.Xor, dst, dst, w: false);
        CC cc = Compare((Cond)n.Aux, n.A, n.B);
        _hot.SetCC(cc, dst);
        if (!clear)
            _hot.RR(Assembler.Esc | 0xB6, dst, dst, w: false, force: dst >= 4);
        Define(n, i, dst);
    }

    private void EmitSelect(in Instruction n, int i)
    {
        // Zicond and min/max: constants 0 are common; everything is in place before the comparison sets the flags.
        Prepare(n.A);
        Prepare(n.B);
        CC cc = Compare((Cond)n.Aux, n.A, n.B);
        _locked = 0;
        int whenFalse = Use(n.D), whenTrue = Use(n.C);
        int dst = Destination(n, whenFalse);
        if (dst == whenTrue)
        {
            // Exchange the roles.
            _hot.CMov((CC)((int)cc ^ 1), dst, whenFalse);
        }
        else
        {
            _hot.Mov(dst, whenFalse);
            _hot.CMov(cc, dst, whenTrue);
        }
        Define(n, i, dst);
    }

    private void EmitCount(in Instruction n, int i)
    {
        int ra = Use(n.A);
        int dst = Destination(n, ra);
        int opcode = n.Op switch { Op.CountLeadingZeros => 0xBD, Op.CountTrailingZeros => 0xBC, _ => 0xB8 };
        _hot.RR(Assembler.Esc | Assembler.PF3 | opcode, dst, ra);
        Define(n, i, dst);
    }

    private void EmitByteSwap(in Instruction n, int i)
    {
        int ra = Use(n.A);
        int dst = Destination(n, ra);
        _hot.Mov(dst, ra);
        _hot.Byte(0x48 | dst >> 3);
        _hot.Byte(0x0F);
        _hot.Byte(0xC8 | (dst & 7));
        Define(n, i, dst);
    }

    private void EmitOrCombine(in Instruction n, int i)
    {
        int ra = Use(n.A);
        int x = Allocate(true);
        int z = Allocate(true);
        int dst = Destination(n, ra);
        // Bytes equal to zero become FF, then all is inverted.
        _hot.VexRR(1, 1, 0x6E, x & 15, 0, ra, w: true);
        _hot.VexRR(1, 1, 0xEF, z & 15, z & 15, z & 15);
        _hot.VexRR(1, 1, 0x74, x & 15, x & 15, z & 15);
        _hot.VexRR(1, 1, 0x7E, x & 15, 0, dst, w: true);
        _hot.RR(0xF7, 2, dst);
        Define(n, i, dst);
    }

    private void EmitClMul(in Instruction n, int i)
    {
        int ra = Use(n.A), rb = Use(n.B);
        int x = Allocate(true), y = Allocate(true);
        int dst = Destination(n, ra);
        _hot.VexRR(1, 1, 0x6E, x & 15, 0, ra, w: true);
        _hot.VexRR(1, 1, 0x6E, y & 15, 0, rb, w: true);
        _hot.VexRR(3, 1, 0x44, x & 15, x & 15, y & 15);
        _hot.Byte(0);
        if (n.Op == Op.ClMul)
        {
            _hot.VexRR(1, 1, 0x7E, x & 15, 0, dst, w: true);
        }
        else
        {
            // VPEXTRQ dst, x, 1
            _hot.VexRR(3, 1, 0x16, x & 15, 0, dst, w: true);
            _hot.Byte(1);
        }
        Define(n, i, dst);
    }
}
