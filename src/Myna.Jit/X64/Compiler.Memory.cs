using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

internal sealed unsafe partial class Compiler
{
    private const int IndexMask = ((1 << SoftTlb.IndexBits) - 1) * SoftTlb.EntrySize;
    /// <summary>Shift that brings the page number to where the entry's offset is.</summary>
    private const int IndexShift = 12 - 5;

    private static int TlbField(int mode, int field) => CpuBlock.TlbOffset - CpuBlock.Bias + (mode * SoftTlb.BytesPerMode) + field;

    private const int ReadTag = 0, WriteTag = 8, FetchTag = 16, Addend = 24;

    /// <summary>
    /// The lookup in the soft-TLB: on a hit the addend is in <paramref name="index"/>. <paramref name="t"/> is clobbered.
    /// </summary>
    /// <returns>The jump taken on a miss, for <see cref="BindCold"/>.</returns>
    private int Lookup(int @base, int disp, int size, int mode, int tag, int t, int index)
        => Lookup(@base, disp, size, mode, tag, t, index, false, out _);

    // Of an aligned access: a misaligned one keeps low bits and misses.
    private int LookupAligned(int @base, int disp, int size, int mode, int tag, int t, int index)
    {
        _hot.Lea(t, new Mem(@base, disp));
        _hot.Rorx(index, t, IndexShift);
        _hot.AluImm(Assembler.And, index, IndexMask, w: false);
        _hot.AluImm(Assembler.And, t, -Hardware.Memory.Ram.PageSize | (size - 1));
        _hot.Alu(Assembler.Cmp, t, new Mem(Reg.Rbp, TlbField(mode, tag), index));
        int miss = HotJcc(CC.NE);
        _hot.Load(index, new Mem(Reg.Rbp, TlbField(mode, Addend), index));
        return miss;
    }

    /// <summary>Cold code: leaves a misaligned access to the interpreter. <paramref name="t"/> is clobbered.</summary>
    private void ColdCheckAlignment(in Instruction n, int a, int size, int t)
    {
        _cold.Lea(t, new Mem(a, (int)n.Imm));
        _cold.RR(0xF7, 0, t, w: false);
        _cold.Dword(size - 1);
        _cold.Jcc(CC.E);
        int at = _cold.Offset;
        ColdFallback(n);
        // SAFETY: the displacement just written.
        *(int*)(_cold.Start + at - 4) = _cold.Offset - at;
    }

    // Of an access that reads and writes: also the jump taken when the page cannot be read.
    private int Lookup(int @base, int disp, int size, int mode, int tag, int t, int index, out int unreadable)
        => Lookup(@base, disp, size, mode, tag, t, index, true, out unreadable);

    private int Lookup(int @base, int disp, int size, int mode, int tag, int t, int index, bool both, out int unreadable)
    {
        unreadable = 0;
        if (disp == 0)
        {
            _hot.Rorx(index, @base, IndexShift);
        }
        else
        {
            _hot.Lea(t, new Mem(@base, disp));
            _hot.Rorx(index, t, IndexShift);
        }
        _hot.AluImm(Assembler.And, index, IndexMask, w: false);
        // The page of the last byte must be the entry's: an access that crosses a page border misses.
        if (size > 1)
            _hot.Lea(t, new Mem(@base, disp + size - 1));
        else if (disp == 0)
            _hot.Mov(t, @base);
        _hot.AluImm(Assembler.And, t, -Hardware.Memory.Ram.PageSize);
        _hot.Alu(Assembler.Cmp, t, new Mem(Reg.Rbp, TlbField(mode, tag), index));
        int miss = HotJcc(CC.NE);
        if (both)
        {
            _hot.Alu(Assembler.Cmp, t, new Mem(Reg.Rbp, TlbField(mode, ReadTag), index));
            unreadable = HotJcc(CC.NE);
        }
        _hot.Load(index, new Mem(Reg.Rbp, TlbField(mode, Addend), index));
        return miss;
    }

    private void EmitLoad(in Instruction n, int i)
    {
        if (_direct)
        {
            EmitLoadDirect(n, i);
            return;
        }
        bool isFloat = n.Op != Op.Load;
        // As a logarithm: a vector may be of 16 bytes.
        int size = n.Op == Op.LoadFloat ? n.Size + 2 : n.Size;
        bool signed = (n.Aux & 1) != 0;
        int disp = (int)n.Imm;
        int a = Use(n.A);
        int t = Allocate(false), index = Allocate(false);
        int dst = isFloat ? Destination(n) : HintedOr(n, index);
        bool aligned = isFloat && (n.Aux & Instruction.Aligned) != 0;
        int miss = aligned ? LookupAligned(a, disp, 1 << size, n.Mode, ReadTag, t, index) : Lookup(a, disp, 1 << size, n.Mode, ReadTag, t, index);
        Mem m = new(index, disp, a);
        if (isFloat)
        {
            _hot.VexRM(1, VexMove(size), 0x10, dst & 15, 0, m);
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
        BindCold(miss);
        if (aligned)
            ColdCheckAlignment(n, a, 1 << size, t);
        WriteBack(_cold);
        _cold.Lea(t, new Mem(a, disp));
        _cold.Store(Context(48), t);
        // The thunk knows how far behind its call the data lies: 7 or 8 bytes of load, 5 of jump.
        ColdCall(size == 4 ? _thunks.LoadVector : isFloat ? _thunks.LoadFloat : _thunks.Load);
        if (size == 4)
            _cold.VexRM(1, 0, 0x10, dst & 15, 0, Context(JitContext.VectorArgument));
        else if (isFloat)
            _cold.VexRM(1, 3, 0x10, dst & 15, 0, Context(64));
        else
            _cold.Load(dst, Context(64));
        ColdJmpHot();
        SlowData(n, size, signed);
        Define(n, i, dst);
    }

    // Prefix number of the moves of 4, 8 and 16 bytes, opcodes 10 and 11.
    private static int VexMove(int size) => size switch { 2 => 2, 3 => 3, _ => 0 };

    private void SlowData(in Instruction n, int size, bool signed)
    {
        _cold.Qword(_ir.GuestPc[n.Guest]);
        _cold.Dword(_counting ? Retired(n.Guest) : 0);
        _cold.Dword(size | (signed ? 1 << 8 : 0) | (n.Op == Op.Load ? (n.Aux & Instruction.ForUpdate) << 8 : n.Op == Op.LoadVector ? (n.Aux & Instruction.Pair) << 8 : 0) | n.Mode << 16);
    }

    private void EmitStore(in Instruction n)
    {
        if (_direct)
        {
            EmitStoreDirect(n);
            return;
        }
        bool isFloat = n.Op != Op.Store;
        int size = n.Op == Op.StoreFloat ? n.Size + 2 : n.Size;
        int disp = (int)n.Imm;
        int a = Use(n.A);
        bool isImm = IsImm32(n.B, out int imm) && _location[n.B] < 0;
        int v = isImm ? -1 : Use(n.B);
        int t = Allocate(false), index = Allocate(false);
        bool aligned = isFloat && (n.Aux & Instruction.Aligned) != 0;
        int miss = aligned ? LookupAligned(a, disp, 1 << size, n.Mode, WriteTag, t, index) : Lookup(a, disp, 1 << size, n.Mode, WriteTag, t, index);
        Mem m = new(index, disp, a);
        if (isFloat)
        {
            _hot.VexRM(1, VexMove(size), 0x11, v & 15, 0, m);
        }
        else if (isImm)
        {
            switch ((MemSize)size)
            {
                case MemSize.B1:
                    _hot.RM(0xC6, 0, m, w: false);
                    _hot.Byte(imm);
                    break;
                case MemSize.B2:
                    _hot.Byte(0x66);
                    _hot.RM(0xC7, 0, m, w: false);
                    _hot.Byte(imm);
                    _hot.Byte(imm >> 8);
                    break;
                default:
                    _hot.RM(0xC7, 0, m, w: size == 3);
                    _hot.Dword(imm);
                    break;
            }
        }
        else
        {
            switch ((MemSize)size)
            {
                case MemSize.B1: _hot.RM(0x88, v, m, w: false, force: v >= 4); break;
                case MemSize.B2: _hot.Byte(0x66); _hot.RM(0x89, v, m, w: false); break;
                case MemSize.B4: _hot.Store32(m, v); break;
                default: _hot.Store(m, v); break;
            }
        }
        BindCold(miss);
        if (aligned)
            ColdCheckAlignment(n, a, 1 << size, t);
        WriteBack(_cold);
        _cold.Lea(t, new Mem(a, disp));
        _cold.Store(Context(48), t);
        if (isImm)
            _cold.StoreImm(Context(56), (ulong)imm);
        else
            StoreReg(_cold, Context(size == 4 ? JitContext.VectorArgument : 56), v, size == 4);
        ColdCall(size == 4 ? _thunks.StoreVector : _thunks.Store);
        ColdJmpHot();
        SlowData(n, size, false);
        ReleaseOperands(n);
    }

    private void EmitZeroLine(in Instruction n)
    {
        int a = Use(n.A);
        int t = Allocate(false), index = Allocate(false), x = Allocate(true);
        int miss = 0;
        if (_direct)
            NoLookup(n, a, 0, index);
        else
            miss = Lookup(a, 0, 1, n.Mode, WriteTag, t, index);
        _hot.VexRR(1, 0, 0x57, x & 15, x & 15, x & 15);
        _hot.Mov(t, a);
        _hot.AluImm(Assembler.And, t, -64);
        for (int i = 0; i < 64; i += 16)
            _hot.VexRM(1, 0, 0x11, x & 15, 0, new Mem(index, i, t));
        if (!_direct)
        {
            BindCold(miss);
            ColdFallback(n);
        }
        ReleaseOperands(n);
    }

    /// <summary>As a lookup for an aligned access that reads and, if asked, writes; misses are left to the interpreter.</summary>
    private void LookupAligned(in Instruction n, int @base, int size, bool writes, int t, int index)
    {
        if (_direct)
        {
            NoLookup(n, @base, size, index);
            return;
        }
        _hot.Rorx(index, @base, IndexShift);
        _hot.AluImm(Assembler.And, index, IndexMask, w: false);
        _hot.Mov(t, @base);
        // A misaligned address keeps a low bit and cannot match.
        _hot.AluImm(Assembler.And, t, -Hardware.Memory.Ram.PageSize | (size - 1));
        _hot.Alu(Assembler.Cmp, t, new Mem(Reg.Rbp, TlbField(n.Mode, ReadTag), index));
        BindCold(HotJcc(CC.NE));
        if (writes)
        {
            _hot.Alu(Assembler.Cmp, t, new Mem(Reg.Rbp, TlbField(n.Mode, WriteTag), index));
            BindCold(HotJcc(CC.NE));
        }
        ColdFallback(n);
        _hot.Load(index, new Mem(Reg.Rbp, TlbField(n.Mode, Addend), index));
    }

    private void EmitAtomic(in Instruction n, int i)
    {
        bool wide = n.Size == (int)MemSize.B8;
        AtomicOp op = (AtomicOp)n.Aux;
        bool loop = op is not (AtomicOp.Swap or AtomicOp.Add);
        if (loop)
            Claim(Reg.Rax);
        int a = Use(n.A), v = Use(n.B);
        int t = Allocate(false), index = Allocate(false);
        LookupAligned(n, a, 1 << n.Size, true, t, index);
        // t is free from here on.
        Mem m = new(index, 0, a);
        int result;
        if (!loop)
        {
            _hot.Mov(t, v);
            if (op == AtomicOp.Add)
            {
                _hot.Byte(0xF0);
                _hot.RM(Assembler.Esc | 0xC1, t, m, wide);
            }
            else
            {
                _hot.RM(0x87, t, m, wide);
            }
            result = t;
        }
        else
        {
            if (wide)
                _hot.Load(Reg.Rax, m);
            else
                _hot.Load32(Reg.Rax, m);
            int again = _hot.Offset;
            Combine(op, t, v, wide);
            // LOCK CMPXCHG.
            _hot.Byte(0xF0);
            _hot.RM(Assembler.Esc | 0xB1, t, m, wide);
            _hot.Byte(0x75);
            _hot.Byte(again - (_hot.Offset + 1));
            result = Reg.Rax;
        }
        if (!wide)
            _hot.RR(0x63, result, result);
        TakeFrom(n, i, result);
    }

    /// <summary>As a lookup for an access at any alignment that reads and writes; misses are left to the interpreter.</summary>
    private void LookupBoth(in Instruction n, int @base, int size, int t, int index)
    {
        if (_direct)
        {
            NoLookup(n, @base, 0, index);
            return;
        }
        BindCold(Lookup(@base, 0, size, n.Mode, WriteTag, t, index, out int readable));
        BindCold(readable);
        ColdFallback(n);
    }

    private void EmitLockedUpdate(in Instruction n, int i)
    {
        MemSize size = (MemSize)n.Size;
        bool wide = size == MemSize.B8;
        AtomicOp op = (AtomicOp)n.Aux;
        bool loop = op is not (AtomicOp.Swap or AtomicOp.Add);
        bool plain = n.LastUse < 0 && op != AtomicOp.Swap;
        if (loop && !plain)
            Claim(Reg.Rax);
        int a = Use(n.A), v = Use(n.B);
        int t = Allocate(false), index = Allocate(false);
        LookupBoth(n, a, 1 << n.Size, t, index);
        // t is free from here on.
        Mem m = new(index, 0, a);
        int byteForm = size == MemSize.B1 ? 0 : 1;
        int result = t;
        if (plain)
        {
            // Nobody asks what was there.
            _hot.Byte(0xF0);
            Sized(size);
            int alu = op switch { AtomicOp.Add => Assembler.Add, AtomicOp.And => Assembler.And, AtomicOp.Or => Assembler.Or, _ => Assembler.Xor };
            _hot.RM(alu << 3 | byteForm, v, m, wide, force: size == MemSize.B1 && v >= 4);
            ReleaseOperands(n);
            return;
        }
        if (!loop)
        {
            _hot.Mov(t, v);
            if (op == AtomicOp.Add)
                _hot.Byte(0xF0);
            Sized(size);
            _hot.RM(op == AtomicOp.Add ? Assembler.Esc | 0xC0 | byteForm : 0x86 | byteForm, t, m, wide, force: size == MemSize.B1 && t >= 4);
        }
        else
        {
            LoadZeroExtended(Reg.Rax, m, size);
            int again = _hot.Offset;
            _hot.Mov(t, Reg.Rax);
            _hot.Alu(op switch { AtomicOp.And => Assembler.And, AtomicOp.Or => Assembler.Or, _ => Assembler.Xor }, t, v);
            LockedCompareExchange(m, t, size);
            _hot.Byte(0x75);
            _hot.Byte(again - (_hot.Offset + 1));
            result = Reg.Rax;
        }
        if (!wide)
            Extend(_hot, result, result, size, signed: false);
        TakeFrom(n, i, result);
    }

    private void LoadZeroExtended(int reg, in Mem m, MemSize size)
    {
        switch (size)
        {
            case MemSize.B1: _hot.RM(Assembler.Esc | 0xB6, reg, m, w: false); break;
            case MemSize.B2: _hot.RM(Assembler.Esc | 0xB7, reg, m, w: false); break;
            case MemSize.B4: _hot.Load32(reg, m); break;
            default: _hot.Load(reg, m); break;
        }
    }

    private void LockedCompareExchange(in Mem m, int desired, MemSize size)
    {
        _hot.Byte(0xF0);
        Sized(size);
        _hot.RM(Assembler.Esc | (size == MemSize.B1 ? 0xB0 : 0xB1), desired, m, w: size == MemSize.B8, force: size == MemSize.B1 && desired >= 4);
    }

    private void EmitLockedCompareExchange(in Instruction n, int i)
    {
        MemSize size = (MemSize)n.Size;
        Claim(Reg.Rax);
        int expected = Use(n.B);
        _hot.Mov(Reg.Rax, expected);
        // The five registers that are never pinned must do.
        _locked &= ~(1u << expected);
        int a = Use(n.A), desired = Use(n.C);
        int t = Allocate(false), index = Allocate(false);
        LookupBoth(n, a, 1 << n.Size, t, index);
        LockedCompareExchange(new Mem(index, 0, a), desired, size);
        if (size != MemSize.B8)
            Extend(_hot, Reg.Rax, Reg.Rax, size, signed: false);
        TakeFrom(n, i, Reg.Rax);
    }

    private void EmitLockedCompareExchange16(in Instruction n, int i)
    {
        int desiredHigh = _code[i - 1].A;
        Claim(Reg.Rax);
        Claim(Reg.Rdx);
        Claim(Reg.Rcx);
        bool pinned = !IsTemp(Reg.Rbx);
        if (!pinned)
            Claim(Reg.Rbx);
        int a = Use(n.A);
        int index = Allocate(false);
        if (_direct)
        {
            // Before a fault RBX may be another's already.
            if (pinned)
                _hot.Store(Context(56), Reg.Rbx);
            _hot.Alu(Assembler.Xor, index, index, w: false);
            BindFault();
            if (pinned)
                _cold.Load(Reg.Rbx, Context(56));
            ColdFallback(n);
        }
        else
        {
            LookupBoth(n, a, 16, Reg.Rcx, index);
        }
        _hot.Alu(Assembler.Add, index, a);
        // A pinned RBX may hold an operand.
        if (pinned)
            _hot.Store(Context(56), Reg.Rbx);
        Bring(Reg.Rax, n.B);
        Bring(Reg.Rdx, n.C);
        Bring(Reg.Rcx, desiredHigh);
        Bring(Reg.Rbx, n.D);
        // LOCK CMPXCHG16B.
        _hot.Byte(0xF0);
        _hot.RM(Assembler.Esc | 0xC7, 1, new Mem(index, 0));
        if (pinned)
            _hot.Load(Reg.Rbx, Context(56));
        Release(desiredHigh);
        ReleaseOperands(n);
        DefinePair(n, i);
    }

    // Copies a value to a claimed register, wherever it is.
    private void Bring(int reg, int v)
    {
        if (_location[v] >= 0)
            _hot.Mov(reg, _location[v]);
        else if (IsConst(v, out ulong value))
            _hot.MovImm(reg, value);
        else
            _hot.Load(reg, MemoryOf(v));
    }

    // t = rax op v
    private void Combine(AtomicOp op, int t, int v, bool wide)
    {
        switch (op)
        {
            case AtomicOp.And or AtomicOp.Or or AtomicOp.Xor:
                _hot.RR(0x8B, t, Reg.Rax, wide);
                _hot.Alu(op switch { AtomicOp.And => Assembler.And, AtomicOp.Or => Assembler.Or, _ => Assembler.Xor }, t, v, wide);
                break;
            default:
                _hot.RR(0x8B, t, v, wide);
                _hot.Alu(Assembler.Cmp, Reg.Rax, v, wide);
                CC keep = op switch { AtomicOp.MinS => CC.L, AtomicOp.MaxS => CC.G, AtomicOp.MinU => CC.B, _ => CC.A };
                _hot.RR(Assembler.Esc | 0x40 | (int)keep, t, Reg.Rax, wide);
                break;
        }
    }

    // DEVIATION: RISC-V "A" extension, section on LR/SC: a store by another hart between LR and SC that writes the value
    // already there goes unnoticed; the reservation is the value read, and SC a compare-and-exchange.
    private void EmitLoadReserved(in Instruction n, int i)
    {
        int a = Use(n.A);
        int t = Allocate(false), index = Allocate(false);
        LookupAligned(n, a, 1 << n.Size, false, t, index);
        Mem m = new(index, 0, a);
        if (n.Size == (int)MemSize.B8)
            _hot.Load(index, m);
        else
            _hot.RM(0x63, index, m);
        _hot.Store(Context(32), a);
        _hot.Store(Context(40), index);
        _hot.Store32Imm(Context(28), 1 << n.Size);
        TakeFrom(n, i, index);
    }

    private void EmitStoreConditional(in Instruction n, int i)
    {
        bool wide = n.Size == (int)MemSize.B8;
        Claim(Reg.Rax);
        int a = Use(n.A), v = Use(n.B);
        int t = Allocate(false), index = Allocate(false);
        // The access faults even when the reservation is lost.
        LookupAligned(n, a, 1 << n.Size, true, t, index);
        _hot.MovImm(t, 1);
        _hot.AluImm(Assembler.Cmp, Context(28), 1 << n.Size, w: false);
        _hot.Byte(0x75);
        int fail1 = _hot.Offset;
        _hot.Byte(0);
        _hot.Alu(Assembler.Cmp, a, Context(32));
        _hot.Byte(0x75);
        int fail2 = _hot.Offset;
        _hot.Byte(0);
        _hot.Load(Reg.Rax, Context(40));
        _hot.Byte(0xF0);
        _hot.RM(Assembler.Esc | 0xB1, v, new Mem(index, 0, a), wide);
        _hot.SetCC(CC.NE, t);
        PatchShort(fail1);
        PatchShort(fail2);
        _hot.Store32Imm(Context(28), 0);
        TakeFrom(n, i, t);
    }

    private void PatchShort(int at) => _hot.Start[at] = (byte)(_hot.Offset - (at + 1));
}
