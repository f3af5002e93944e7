using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

/// <summary>Shifts, rotations, fields, extensions, counts of bits, carry-less products.</summary>
internal sealed partial class Compiler
{
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
