using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

/// <summary>Products, quotients, and operations with carries and second results.</summary>
internal sealed partial class Compiler
{
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
}
