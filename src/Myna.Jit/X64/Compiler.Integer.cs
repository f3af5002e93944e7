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
    private void AluValue(int op, int reg, int v, bool wide)
    {
        if (_location[v] < 0 && IsImm(v, wide, out int imm))
            _hot.AluImm(op, reg, imm, wide);
        else if (IsMemory(v))
            _hot.Alu(op, reg, MemoryOf(v), wide);
        else
            _hot.Alu(op, reg, Use(v), wide);
    }

    /// <summary>Whether the value can be an immediate operand of an operation of 64 or 32 bits.</summary>
    private bool IsImm(int v, bool wide, out int value) => IsImm32(v, out value) || (!wide && _code[v].Op == Op.Const);

    private static bool IsWide(in Instruction n) => (n.Mode & Instruction.Narrow) == 0;

    // A 32-bit operation whose result is an operand that stays as it is must clear the upper half still.
    private void Move(int dst, int src, bool wide)
    {
        if (wide || dst == src)
            _hot.Mov(dst, src);
        else
            _hot.Mov32(dst, src);
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
        bool wide = IsWide(n);
        if (IsImm(b, wide, out int imm))
        {
            int ra = Use(a);
            int dst = Destination(n, ra);
            if (dst == ra)
                _hot.AluImm(Assembler.Add, dst, imm, wide);
            else
                _hot.Lea(dst, new Mem(ra, imm), wide);
            Define(n, i, dst);
            return;
        }
        if (_location[a] < 0 || (IsMemory(a) && !IsMemory(b)))
            (a, b) = (b, a);
        if (IsMemory(b) && a != b)
        {
            int ra = Use(a);
            int dst = Destination(n, ra);
            Move(dst, ra, wide);
            _hot.Alu(Assembler.Add, dst, MemoryOf(b), wide);
            Define(n, i, dst);
            return;
        }
        int x = Use(a), y = Use(b);
        int d = Destination(n, IsTemp(x) && DiesHere(a) ? x : y);
        if (d == x)
            _hot.Alu(Assembler.Add, d, y, wide);
        else if (d == y)
            _hot.Alu(Assembler.Add, d, x, wide);
        else
            _hot.Lea(d, new Mem(x, 0, y), wide);
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
        bool wide = IsWide(n);
        if (op == Assembler.Sub && IsConst(a, out ulong zero) && zero == 0)
        {
            int from = Use(b);
            int to = Destination(n, from);
            Move(to, from, wide);
            _hot.RR(0xF7, 3, to, wide);
            Define(n, i, to);
            return;
        }
        int ra = Use(a);
        if (wide || _code[b].Op != Op.Const)
            Prepare(b);
        int rb = _location[b];
        int dst = Destination(n, ra);
        if (dst == rb && dst != ra)
        {
            if (commutative)
            {
                _hot.Alu(op, dst, ra, wide);
            }
            else
            {
                // Sub alone: a - b = -(b - a).
                _hot.Alu(op, dst, ra, wide);
                _hot.RR(0xF7, 3, dst, wide);
            }
        }
        else
        {
            Move(dst, ra, wide);
            AluValue(op, dst, b, wide);
        }
        Define(n, i, dst);
    }

    private void EmitMul(in Instruction n, int i)
    {
        int a = n.A, b = n.B;
        bool wide = IsWide(n);
        if (IsImm(b, wide, out int imm))
        {
            int src = Use(a);
            int to = Destination(n, src);
            _hot.RR(imm == (sbyte)imm ? 0x6B : 0x69, to, src, wide);
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
            _hot.RR(Assembler.Esc | 0xAF, dst, ra, wide);
        }
        else
        {
            Move(dst, ra, wide);
            _hot.RR(Assembler.Esc | 0xAF, dst, rb, wide);
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

    private void EmitDivideWide(in Instruction n, int i)
    {
        bool wide = n.Size == (int)MemSize.B8;
        Claim(Reg.Rax);
        Claim(Reg.Rdx);
        int high = Use(n.A), low = Use(n.B);
        _hot.Mov(Reg.Rax, low);
        _hot.Mov(Reg.Rdx, high);
        int divisor = Use(n.C);
        _hot.RR(0xF7, n.Aux != 0 ? 7 : 6, divisor, wide);
        ReleaseOperands(n);
        DefinePair(n, i);
    }

    // Results in rax and rdx; the second is the next instruction of the IR.
    private void DefinePair(in Instruction n, int i)
    {
        if (n.LastUse >= 0)
            Place(i, Reg.Rax);
        ref Instruction second = ref _code[i + 1];
        if (second.Op == Op.Second && second.LastUse >= 0)
            Place(i + 1, Reg.Rdx);
    }

    private bool NeedsSecond(int i) => _code[i + 1].Op == Op.Second && _code[i + 1].LastUse >= 0;

    private void EmitMulWide(in Instruction n, int i)
    {
        if (!NeedsSecond(i))
        {
            EmitMul(n, i);
            return;
        }
        Claim(Reg.Rdx);
        int a = n.A, b = n.B;
        if (!IsMemory(a) && IsMemory(b))
            (a, b) = (b, a);
        // MULX reads RDX before it writes anything.
        if (IsMemory(a) && a != b)
            _hot.Load(Reg.Rdx, MemoryOf(a));
        else
            _hot.Mov(Reg.Rdx, Use(a));
        int rb = Use(b);
        int low = Destination(n, rb);
        _locked |= 1u << low;
        int high = HintedOr(_code[i + 1], Reg.Rdx);
        if (high == low)
            high = Reg.Rdx;
        _hot.VexRR(2, 3, 0xF6, high, low, rb, w: true);
        Define(n, i, low);
        DefineSecond(i, high);
    }

    private void EmitAddCarry(in Instruction n, int i)
    {
        bool wide = IsWide(n), subtract = (n.Aux & Instruction.Subtract) != 0;
        // Once the carry flag is set, only moves follow.
        if (n.D >= 0)
        {
            Prepare(n.C);
            Prepare(n.D);
            CC cc = Compare(Cond.LtU, (MemSize)n.Size, n.C, n.D);
            if (cc != CC.B)
            {
                // The operands were exchanged: above.
                int t = Allocate(false);
                _hot.SetCC(cc, t);
                TestBit0(t);
            }
        }
        else
        {
            TestBit0(Use(n.C));
        }
        _locked = 0;
        int ra = Use(n.A);
        bool isImm = IsImm(n.B, wide, out int imm);
        int rb = isImm ? -1 : Use(n.B);
        int dst = Destination(n, ra);
        int sum = dst == rb && dst != ra ? Allocate(false) : dst;
        Move(sum, ra, wide);
        int op = subtract ? Assembler.Sbb : Assembler.Adc;
        if (isImm)
            _hot.AluImm(op, sum, imm, wide);
        else
            _hot.Alu(op, sum, rb, wide);
        int carry = -1;
        if (NeedsSecond(i))
        {
            _locked |= 1u << sum | 1u << dst;
            carry = Allocate(false);
            _hot.MovImm(carry, 0);
            _hot.SetCC(CC.B, carry);
        }
        _hot.Mov(dst, sum);
        Define(n, i, dst);
        if (carry >= 0)
            DefineSecond(i, carry);
    }

    // BT: the carry flag becomes the bit.
    private void TestBit0(int reg)
    {
        _hot.RR(Assembler.Esc | 0xBA, 4, reg, w: false);
        _hot.Byte(0);
    }

    private void DefineSecond(int i, int reg)
    {
        if (_slotOfReg[reg] >= 0)
            Vacate(reg);
        else if (_regValue[reg] >= 0)
            Drop(reg);
        Place(i + 1, reg);
    }

    private void EmitDeposit(in Instruction n, int i)
    {
        int ra = Use(n.A), rb = Use(n.B);
        int dst = Destination(n, ra);
        _hot.VexRR(2, n.Op == Op.Deposit ? 3 : 2, 0xF5, dst, ra, rb, w: true);
        Define(n, i, dst);
    }

    private void EmitCrc32(in Instruction n, int i)
    {
        MemSize size = (MemSize)n.Size;
        int ra = Use(n.A), rb = Use(n.B);
        int t = Allocate(false);
        _hot.Mov32(t, ra);
        Sized(size);
        _hot.RR(Assembler.PF2 | Assembler.Esc38 | (size == MemSize.B1 ? 0xF0 : 0xF1), t, rb, w: size == MemSize.B8, force: size == MemSize.B1 && rb >= 4);
        TakeFrom(n, i, t);
    }

    private void EmitNot(in Instruction n, int i)
    {
        int ra = Use(n.A);
        int dst = Destination(n, ra);
        Move(dst, ra, IsWide(n));
        _hot.RR(0xF7, 2, dst, IsWide(n));
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
                _hot.Lea(to, new Mem(src, 0, src), IsWide(n));
            }
            else
            {
                Move(to, src, IsWide(n));
                _hot.ShiftImm(group, to, (int)(count & 63), IsWide(n));
            }
            Define(n, i, to);
            return;
        }
        int ra = Use(n.A), rb = Use(n.B);
        int dst = Destination(n, ra);
        // SHLX, SHRX, SARX leave source and count alone.
        _hot.VexRR(2, n.Op switch { Op.Shl => 1, Op.ShrU => 3, _ => 2 }, 0xF7, dst, rb, ra, w: IsWide(n));
        Define(n, i, dst);
    }

    private void EmitAddShifted(in Instruction n, int i)
    {
        int ra = Use(n.A), rb = Use(n.B);
        int dst = Destination(n, ra);
        _hot.Lea(dst, new Mem(ra, 0, rb, n.Aux), IsWide(n));
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

    private void EmitInsert(in Instruction n, int i)
    {
        int ra = Use(n.A), rb = Use(n.B);
        int dst = Destination(n, ra);
        int t = dst == rb && dst != ra ? Allocate(false) : dst;
        _hot.Mov(t, ra);
        switch (n.Aux)
        {
            case 0:
                _hot.RR(0x8A, t, rb, w: false, force: t >= 4 || rb >= 4);
                break;
            case 1:
                _hot.Byte(0x66);
                _hot.RR(0x8B, t, rb, w: false);
                break;
            default:
                // Bits 15:8 come to the bottom and go back.
                if (t == rb)
                {
                    rb = Allocate(false);
                    _hot.Mov(rb, t);
                }
                _hot.ShiftImm(1, t, 8);
                _hot.RR(0x8A, t, rb, w: false, force: t >= 4 || rb >= 4);
                _hot.ShiftImm(0, t, 8);
                break;
        }
        _hot.Mov(dst, t);
        Define(n, i, dst);
    }

    private void EmitField(in Instruction n, int i)
    {
        int dst = Destination(n);
        _hot.Load(dst, new Mem(Reg.Rbp, (int)n.Imm - 128));
        Define(n, i, dst);
    }

    private void EmitSetField(in Instruction n)
    {
        Mem field = new(Reg.Rbp, (int)n.Imm - 128);
        if (_code[n.A].Op == Op.Const && (ulong)(int)_code[n.A].Imm == _code[n.A].Imm)
            _hot.StoreImm(field, _code[n.A].Imm);
        else
            _hot.Store(field, Use(n.A));
        ReleaseOperands(n);
    }

    private void EmitCallRoutine(in Instruction n, int i)
    {
        Claim(Reg.Rax);
        Claim(Reg.Rcx);
        Claim(Reg.Rdx);
        if (n.A >= 0)
            _hot.Mov(Reg.Rax, Use(n.A));
        _hot.MovImm(Reg.Rcx, n.Imm);
        _hot.CallReg(Reg.Rcx);
        ReleaseOperands(n);
        if (n.LastUse >= 0)
            Place(i, Reg.Rax);
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
