using System.Numerics;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.X64;

internal sealed unsafe partial class Compiler
{
    private enum FixupKind : byte { HotToCold, ColdToHot, ColdToAbsolute, HotToAbsolute, SiteInHot, SiteInCold }

    private struct Fixup
    {
        public FixupKind Kind;
        /// <summary>Offset of the 4 bytes to fill, in the stream that the kind names first (the cold one for sites).</summary>
        public int At;
        public int To;
        public byte* Target;
    }

    private readonly Fixup[] _fixup = new Fixup[8192];
    private int _fixups;

    private void AddFixup(FixupKind kind, int at, int to, byte* target = null)
    {
        ref Fixup f = ref _fixup[_fixups++];
        f.Kind = kind;
        f.At = at;
        f.To = to;
        f.Target = target;
    }

    /// <summary>A jump in hot code to cold code that <see cref="BindCold"/> starts.</summary>
    private int HotJcc(CC cc)
    {
        _hot.Jcc(cc);
        return _hot.Offset - 4;
    }

    private int HotJmp()
    {
        _hot.Jmp();
        return _hot.Offset - 4;
    }

    private void BindCold(int hotAt) => AddFixup(FixupKind.HotToCold, hotAt, _cold.Offset);

    /// <summary>Back to the present end of hot code.</summary>
    private void ColdJmpHot()
    {
        _cold.Jmp();
        AddFixup(FixupKind.ColdToHot, _cold.Offset - 4, _hot.Offset);
    }

    private void ColdCall(byte* thunk)
    {
        _cold.Byte(0xE8);
        _cold.Dword(0);
        AddFixup(FixupKind.ColdToAbsolute, _cold.Offset - 4, 0, thunk);
    }

    private void ColdJmp(byte* thunk)
    {
        _cold.Jmp();
        AddFixup(FixupKind.ColdToAbsolute, _cold.Offset - 4, 0, thunk);
    }

    /// <summary>Puts cold code behind hot code and fills in what depends on its place.</summary>
    private int Link(byte* cacheStart)
    {
        // Cold code keeps its place within a cache line, which KeepInLine relies on.
        _hot.Align(64);
        int hotLength = _hot.Offset, coldLength = _cold.Offset;
        byte* hot = _hot.Start;
        byte* cold = hot + hotLength;
        Buffer.MemoryCopy(_cold.Start, cold, _hot.End - cold, coldLength);
        for (int i = 0; i < _fixups; i++)
        {
            ref Fixup f = ref _fixup[i];
            switch (f.Kind)
            {
                case FixupKind.HotToCold: *(int*)(hot + f.At) = hotLength + f.To - (f.At + 4); break;
                case FixupKind.ColdToHot: *(int*)(cold + f.At) = f.To - (hotLength + f.At + 4); break;
                case FixupKind.ColdToAbsolute: *(int*)(cold + f.At) = (int)(f.Target - (cold + f.At + 4)); break;
                case FixupKind.HotToAbsolute: *(int*)(hot + f.At) = (int)(f.Target - (hot + f.At + 4)); break;
                case FixupKind.SiteInHot: *(int*)(cold + f.At) = (int)(hot + f.To - cacheStart); break;
                case FixupKind.SiteInCold: *(int*)(cold + f.At) = (int)(cold + f.To - cacheStart); break;
            }
        }
        return hotLength + coldLength;
    }

    private int Prologue()
    {
        // The engine overwrites the first 5 bytes with a jump when the block dies.
        _hot.AluImm(Assembler.Cmp, Context(0), 0, w: false);
        int request = HotJcc(CC.NE);
        BindCold(request);
        int at = _cold.Offset;
        _cold.StoreImm(Context(8), _blockPc);
        ColdJmp(_thunks.Request);
        return at;
    }

    // Guest instructions of this block, before that one, that nothing has counted yet.
    private int Retired(int guest) => guest - _accounted;

    private void CountRetired(Assembler a, int count)
    {
        if (_counting && count > 0)
            a.AluImm(Assembler.Add, Context(16), count);
    }

    // A user program's pages stay where they are.
    private bool InPage(ulong target) => _direct || ((target ^ _blockPc) & ~SoftTlb.PageMask) == 0;

    /// <summary>Cold code that asks the engine to go to <paramref name="target"/> and, in the same page, to link the jump at the site.</summary>
    private void LinkStub(int site, bool siteInHot, ulong target)
    {
        ColdCall(_thunks.Link);
        AddFixup(siteInHot ? FixupKind.SiteInHot : FixupKind.SiteInCold, _cold.Offset, site);
        _cold.Dword(0);
        _cold.Dword(_blockId);
        _cold.Qword(target);
    }

    /// <summary>A patchable 4-byte displacement must not straddle a cache line, so that it changes at once.</summary>
    private static void KeepInLine(Assembler a, int ahead)
    {
        if (((int)(nint)(a.P + ahead) & 63) > 60)
            a.Align(64, ahead);
    }

    private void EmitBranch(in Instruction n)
    {
        CC cc = n.Op == Op.BranchVector ? CompareVectors(n) : Compare((Cond)n.Aux, (MemSize)n.Size, n.A, n.B);
        ReleaseOperands(n);
        bool bare = _dirty == 0 && !_counting && InPage(n.Imm);
        if (bare)
        {
            KeepInLine(_hot, 2);
            int site = HotJcc(cc);
            BindCold(site);
            LinkStub(site, true, n.Imm);
            return;
        }
        int to = HotJcc(cc);
        BindCold(to);
        WriteBack(_cold);
        CountRetired(_cold, Retired(n.Guest + 1));
        ColdJump(n.Imm);
    }

    private void EmitGuard(in Instruction n)
    {
        CC cc = Compare((Cond)n.Aux, (MemSize)n.Size, n.A, n.B);
        ReleaseOperands(n);
        BindCold(HotJcc(cc));
        ColdFallback(n);
    }

    private void EmitCheckFetch(in Instruction n)
    {
        int entry = TlbField(n.Mode, 0) + (((int)(n.Imm >> 12) & ((1 << SoftTlb.IndexBits) - 1)) * SoftTlb.EntrySize);
        int t = Allocate(false);
        _hot.MovImm(t, n.Imm);
        _hot.Alu(Assembler.Cmp, t, new Mem(Reg.Rbp, entry + FetchTag));
        BindCold(HotJcc(CC.NE));
        _hot.MovImm(t, _code[n.A].Imm);
        _hot.Alu(Assembler.Cmp, t, new Mem(Reg.Rbp, entry + Addend));
        BindCold(HotJcc(CC.NE));
        ColdFallback(n);
        ReleaseOperands(n);
    }

    // Leaves the block from cold code; everything is written back.
    private void ColdJump(ulong target)
    {
        if (InPage(target) && !_options.CountInstructions)
        {
            KeepInLine(_cold, 1);
            _cold.Jmp();
            int site = _cold.Offset - 4;
            LinkStub(site, false, target);
        }
        else
        {
            JumpThroughCache(_cold, target);
        }
    }

    private void EmitJump(ulong target, int retired)
    {
        WriteBack(_hot);
        CountRetired(_hot, Retired(retired));
        if (InPage(target) && !_options.CountInstructions)
        {
            KeepInLine(_hot, 1);
            int site = HotJmp();
            BindCold(site);
            LinkStub(site, true, target);
        }
        else
        {
            JumpThroughCache(_hot, target);
        }
    }

    private static int JumpCacheIndex(ulong pc) => (int)(pc >> 1) & ((1 << CpuBlock.JumpCacheBits) - 1);

    /// <summary>A jump to a known pc in another page. All registers but pinned ones are free.</summary>
    private void JumpThroughCache(Assembler a, ulong target)
    {
        if (_options.CountInstructions)
        {
            a.StoreImm(Context(8), target);
            JmpThunk(a, _thunks.Indirect);
            return;
        }
        int entry = _thunks.JumpCache + (JumpCacheIndex(target) * CpuBlock.JumpCacheEntry);
        a.MovImm(Reg.Rax, target);
        a.Alu(Assembler.Cmp, Reg.Rax, new Mem(Reg.Rbp, entry));
        JccIndirectMiss(a);
        a.Load32(Reg.Rcx, new Mem(Reg.Rbp, entry + 8));
        a.Alu(Assembler.Cmp, Reg.Rcx, Context(4), w: false);
        JccIndirectMiss(a);
        a.JmpMem(new Mem(Reg.Rbp, entry + 16));
    }

    // Thunk IndirectMiss expects the pc in rax.
    private void JccIndirectMiss(Assembler a)
    {
        a.Jcc(CC.NE);
        AddFixup(a == _cold ? FixupKind.ColdToAbsolute : FixupKind.HotToAbsolute, a.Offset - 4, 0, _thunks.IndirectMiss);
    }

    private void JmpThunk(Assembler a, byte* thunk)
    {
        a.Jmp();
        AddFixup(a == _cold ? FixupKind.ColdToAbsolute : FixupKind.HotToAbsolute, a.Offset - 4, 0, thunk);
    }

    private void EmitJumpIndirect(in Instruction n)
    {
        WriteBack(_hot);
        CountRetired(_hot, Retired(n.Guest + 1));
        int pc = Use(n.A);
        _hot.Mov(Reg.Rax, pc);
        if (_options.CountInstructions)
        {
            JmpThunk(_hot, _thunks.IndirectMiss);
            return;
        }
        // Bits 1 and up of pc become the offset of an entry of 32 bytes.
        _hot.Mov32(Reg.Rcx, Reg.Rax);
        _hot.ShiftImm(4, Reg.Rcx, 4, w: false);
        _hot.AluImm(Assembler.And, Reg.Rcx, ((1 << CpuBlock.JumpCacheBits) - 1) << 5, w: false);
        int entry = _thunks.JumpCache;
        _hot.Alu(Assembler.Cmp, Reg.Rax, new Mem(Reg.Rbp, entry, Reg.Rcx));
        JccIndirectMiss(_hot);
        _hot.Load32(Reg.Rdx, new Mem(Reg.Rbp, entry + 8, Reg.Rcx));
        _hot.Alu(Assembler.Cmp, Reg.Rdx, Context(4), w: false);
        JccIndirectMiss(_hot);
        _hot.JmpMem(new Mem(Reg.Rbp, entry + 16, Reg.Rcx));
    }

    private void EmitInterpret(in Instruction n)
    {
        WriteBack(_hot);
        CountRetired(_hot, Retired(n.Guest));
        _accounted = n.Guest;
        int to = HotJmp();
        BindCold(to);
        ColdCall(_thunks.Interpret);
        ColdJmpHot();
        SiteData(n);
        // It counts itself.
        _accounted = n.Guest + 1;
        // Constants live on, in no register.
        foreach (int v in _regValue)
        {
            if (v >= 0)
                _location[v] = -1;
        }
        for (ulong m = _dirty; m != 0; m &= m - 1)
            _dirtyRefs[_slotValue[BitOperations.TrailingZeroCount(m)]] = 0;
        _dirty = 0;
        _spills = _vectorSpills = 0;
        _regValue.AsSpan().Fill(NoValue);
        _slotValue.AsSpan().Fill(NoValue);
        _homeValue.AsSpan().Fill(NoValue);
    }

    // The lazy slots are read from memory.
    private void EmitComputeFlags(in Instruction n, int i)
    {
        int dst = Destination(n);
        WriteBack(_hot);
        int to = HotJmp();
        BindCold(to);
        ColdCall(_thunks.ComputeFlags);
        _cold.Load(dst, Context(64));
        ColdJmpHot();
        SiteData(n);
        Define(n, i, dst);
    }

    /// <summary>What a thunk that calls C# finds behind its call: pc, progress, details of the access.</summary>
    private void SiteData(in Instruction n)
    {
        _cold.Qword(_ir.GuestPc[n.Guest]);
        _cold.Dword(_counting ? Retired(n.Guest) : 0);
        _cold.Dword(n.Size | n.Aux << 8 | n.Mode << 16);
    }

    /// <summary>Cold code that gives the current guest instruction to the interpreter, nothing of it having happened.</summary>
    private void ColdFallback(in Instruction n)
    {
        WriteBack(_cold);
        CountRetired(_cold, Retired(n.Guest));
        _cold.StoreImm(Context(8), _ir.GuestPc[n.Guest]);
        ColdJmp(_thunks.Fallback);
    }

    private void EmitFence()
    {
        _hot.Byte(0x0F);
        _hot.Byte(0xAE);
        _hot.Byte(0xF0);
    }
}
