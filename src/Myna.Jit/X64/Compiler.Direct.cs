using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

/// <summary>Memory of a user program: accessed without a check. Behind a fault the interpreter executes the guest instruction anew.</summary>
internal sealed unsafe partial class Compiler
{
    private const int MaxFaults = 4096;
    private readonly int[] _faultFrom = new int[MaxFaults];
    private readonly int[] _faultTo = new int[MaxFaults];
    private int _faults;
    private readonly bool _direct;

    /// <summary>A fault from here on, until the next call, goes to the present end of cold code.</summary>
    private void BindFault()
    {
        _faultFrom[_faults] = _hot.Offset;
        _faultTo[_faults++] = _cold.Offset;
    }

    /// <summary>Hands over where faults of the block just linked go on.</summary>
    internal void CopyFaults(FaultTable table, int block)
    {
        for (int i = 0; i < _faults; i++)
            table.Add(block + _faultFrom[i], block + _hot.Offset + _faultTo[i]);
    }

    private void EmitLoadDirect(in Instruction n, int i)
    {
        bool isFloat = n.Op != Op.Load;
        int size = n.Op == Op.LoadFloat ? n.Size + 2 : n.Size;
        bool signed = (n.Aux & 1) != 0;
        int a = Use(n.A);
        int disp = (int)n.Imm;
        // An aligned access of 16 bytes faults by itself when it is not.
        bool aligned = isFloat && (n.Aux & Instruction.Aligned) != 0;
        int t = aligned && size != 4 ? Allocate(false) : -1;
        int dst = Destination(n, isFloat ? -1 : a);
        if (t >= 0)
            CheckAligned(a, disp, 1 << size, t);
        BindFault();
        ColdFallback(n);
        Mem m = new(a, disp);
        if (isFloat)
        {
            _hot.VexRM(1, VexMove(size), aligned && size == 4 ? 0x28 : 0x10, dst & 15, 0, m);
        }
        else
        {
            switch ((MemSize)size)
            {
                case MemSize.B1: _hot.RM(Assembler.Esc | (signed ? 0xBE : 0xB6), dst, m, w: signed); break;
                case MemSize.B2: _hot.RM(Assembler.Esc | (signed ? 0xBF : 0xB7), dst, m, w: signed); break;
                case MemSize.B4: _hot.RM(signed ? 0x63 : 0x8B, dst, m, w: signed); break;
                default: _hot.Load(dst, m); break;
            }
        }
        Define(n, i, dst);
    }

    private void EmitStoreDirect(in Instruction n)
    {
        bool isFloat = n.Op != Op.Store;
        int size = n.Op == Op.StoreFloat ? n.Size + 2 : n.Size;
        int a = Use(n.A);
        bool isImm = IsImm32(n.B, out int imm) && _location[n.B] < 0;
        int v = isImm ? -1 : Use(n.B);
        Mem m = new(a, (int)n.Imm);
        bool aligned = isFloat && (n.Aux & Instruction.Aligned) != 0;
        if (aligned && size != 4)
            CheckAligned(a, (int)n.Imm, 1 << size, Allocate(false));
        BindFault();
        ColdFallback(n);
        StoreTo(m, size, isFloat, aligned && size == 4, v, imm);
        ReleaseOperands(n);
    }

    private void StoreTo(in Mem m, int size, bool isFloat, bool aligned, int v, int imm)
    {
        if (isFloat)
        {
            _hot.VexRM(1, VexMove(size), aligned ? 0x29 : 0x11, v & 15, 0, m);
            return;
        }
        switch ((MemSize)size)
        {
            case MemSize.B1 when v < 0:
                _hot.RM(0xC6, 0, m, w: false);
                _hot.Byte(imm);
                break;
            case MemSize.B2 when v < 0:
                _hot.Byte(0x66);
                _hot.RM(0xC7, 0, m, w: false);
                _hot.Byte(imm);
                _hot.Byte(imm >> 8);
                break;
            case MemSize.B4 or MemSize.B8 when v < 0:
                _hot.RM(0xC7, 0, m, w: size == 3);
                _hot.Dword(imm);
                break;
            case MemSize.B1: _hot.RM(0x88, v, m, w: false, force: v >= 4); break;
            case MemSize.B2: _hot.Byte(0x66); _hot.RM(0x89, v, m, w: false); break;
            case MemSize.B4: _hot.Store32(m, v); break;
            default: _hot.Store(m, v); break;
        }
    }

    // To the cold code that is emitted next, when an address is no multiple of the size.
    private void CheckAligned(int @base, int disp, int size, int t)
    {
        _hot.Lea(t, new Mem(@base, disp));
        _hot.RR(0xF7, 0, t, w: false);
        _hot.Dword(size - 1);
        BindCold(HotJcc(CC.NE));
    }

    /// <summary>
    /// Instead of a lookup, for the operations that want an addend: it is zero. What follows may fault. A misaligned
    /// address is left to the interpreter when <paramref name="size"/> is not 0.
    /// </summary>
    private void NoLookup(in Instruction n, int @base, int size, int index)
    {
        if (size > 1)
        {
            _hot.RR(0xF7, 0, @base, w: false);
            _hot.Dword(size - 1);
            BindCold(HotJcc(CC.NE));
        }
        _hot.Alu(Assembler.Xor, index, index, w: false);
        BindFault();
        ColdFallback(n);
    }
}
