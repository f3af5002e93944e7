using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

/// <summary>Comparisons, conditions, selections.</summary>
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

    /// <summary>Compares the low bits of two values and says which condition then means <paramref name="cond"/>.</summary>
    private CC Compare(Cond cond, MemSize width, int a, int b)
    {
        CC cc = ToCC(cond);
        if (_code[a].Op == Op.Const && _code[b].Op != Op.Const)
        {
            (a, b) = (b, a);
            cc = Swapped(cc);
        }
        bool isConst = IsConst(b, out ulong known);
        if (isConst)
        {
            int unused = 64 - (8 << (int)width);
            known = (ulong)((long)(known << unused) >> unused);
        }
        bool isImm = isConst && (ulong)(int)known == known;
        if (IsMemory(a) && isImm)
        {
            CompareImm(width, MemoryOf(a), (int)known);
            return cc;
        }
        if (IsMemory(a) && !IsMemory(b) && !isConst)
        {
            int rb = Use(b);
            Sized(width);
            _hot.RM(width == MemSize.B1 ? 0x38 : 0x39, rb, MemoryOf(a), w: width == MemSize.B8, force: width == MemSize.B1 && rb >= 4);
            return cc;
        }
        int ra = Use(a);
        bool wide = width == MemSize.B8, small = width == MemSize.B1;
        if (isConst && known == 0)
        {
            Sized(width);
            _hot.RR(small ? 0x84 : 0x85, ra, ra, wide, force: small && ra >= 4);
        }
        else if (isImm)
        {
            CompareImm(width, ra, (int)known);
        }
        else if (IsMemory(b))
        {
            Sized(width);
            _hot.RM(small ? 0x3A : 0x3B, ra, MemoryOf(b), wide, force: small && ra >= 4);
        }
        else
        {
            int rb = Use(b);
            Sized(width);
            _hot.RR(small ? 0x3A : 0x3B, ra, rb, wide, force: small && (ra >= 4 || rb >= 4));
        }
        return cc;
    }

    // The operand size prefix.
    private void Sized(MemSize width)
    {
        if (width == MemSize.B2)
            _hot.Byte(0x66);
    }

    private void CompareImm(MemSize width, int reg, int imm)
    {
        Sized(width);
        bool isByte = imm == (sbyte)imm;
        _hot.RR(width == MemSize.B1 ? 0x80 : isByte ? 0x83 : 0x81, Assembler.Cmp, reg, w: width == MemSize.B8, force: width == MemSize.B1 && reg >= 4);
        Immediate(width, imm, isByte);
    }

    private void CompareImm(MemSize width, in Mem m, int imm)
    {
        Sized(width);
        bool isByte = imm == (sbyte)imm;
        _hot.RM(width == MemSize.B1 ? 0x80 : isByte ? 0x83 : 0x81, Assembler.Cmp, m, w: width == MemSize.B8);
        Immediate(width, imm, isByte);
    }

    private void Immediate(MemSize width, int imm, bool isByte)
    {
        if (isByte)
        {
            _hot.Byte(imm);
        }
        else if (width == MemSize.B2)
        {
            _hot.Byte(imm);
            _hot.Byte(imm >> 8);
        }
        else
        {
            _hot.Dword(imm);
        }
    }

    private void EmitSetCond(in Instruction n, int i)
    {
        Prepare(n.A);
        Prepare(n.B);
        int dst = Destination(n);
        bool clear = dst != _location[n.A] && dst != _location[n.B];
        if (clear)
            _hot.Alu(Assembler.Xor, dst, dst, w: false);
        CC cc = Compare((Cond)n.Aux, (MemSize)n.Size, n.A, n.B);
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
        CC cc = Compare((Cond)n.Aux, (MemSize)n.Size, n.A, n.B);
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
}
