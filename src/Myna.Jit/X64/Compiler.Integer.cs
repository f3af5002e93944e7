using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

/// <summary>Operands, additions, logic, fields of the context, calls.</summary>
internal sealed partial class Compiler
{
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
}
