using System.Numerics;
using System.Runtime.CompilerServices;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;

namespace Myna.Jit.X64;

/// <summary>
/// Turns the IR of a block into x86-64 code: one forward pass that allocates registers as it emits. General registers
/// are numbered 0-15, vector registers 16-31.
/// </summary>
/// <remarks>
/// Invariants between two IR instructions: a pinned guest register's host register holds its current value, except
/// between a hinted definition and its Set. A dirty slot's value is a constant or in a register. The home (the guest
/// register structure's memory) of a dirty slot holds nothing that is still needed.
/// </remarks>
internal sealed unsafe partial class Compiler : IDisposable
{
    // 64 spills of 8 bytes, then 64 of 16.
    private const int VectorSpills = 512;
    internal const int FrameSize = VectorSpills + 1024;
    private const int NoValue = -1;
    private const int FirstXmm = 16;

    internal static readonly int[] PinHosts = [Reg.Rbx, Reg.R12, Reg.R13, Reg.R14, Reg.R15, Reg.R8, Reg.R9, Reg.R10, Reg.R11];
    private static readonly int[] AlwaysTemps = [Reg.Rax, Reg.Rcx, Reg.Rdx, Reg.Rsi, Reg.Rdi];

    private readonly IrBuilder _ir;
    private readonly Instruction[] _code;
    private readonly JitOptions _options;
    private readonly Thunks _thunks;

    private readonly Assembler _hot = new();
    private readonly Assembler _cold = new();
    private readonly byte* _coldBuffer;
    private const int ColdBufferSize = 256 << 10;

    // Host register of a pinned slot, -1; and the slot of a host register.
    private readonly int[] _pinOfSlot = new int[IrBuilder.MaxSlots];
    private readonly int[] _slotOfReg = new int[32];
    private readonly ulong _pinned;
    private readonly uint _tempMask;

    // State of the pass.
    private readonly int[] _location = new int[IrBuilder.Capacity];
    private readonly int[] _home = new int[IrBuilder.Capacity];
    private readonly int[] _spill = new int[IrBuilder.Capacity];
    private readonly int[] _dirtyRefs = new int[IrBuilder.Capacity];
    private readonly int[] _regValue = new int[32];
    private readonly int[] _slotValue = new int[IrBuilder.MaxSlots];
    private readonly int[] _homeValue = new int[IrBuilder.MaxSlots];
    private ulong _dirty;
    private ulong _spills, _vectorSpills;
    private uint _locked;
    private int _at;
    private int _accounted;
    private bool _counting;
    private ulong _blockPc;
    private int _blockId;

    public Compiler(IrBuilder ir, JitOptions options, Thunks thunks)
    {
        _ir = ir;
        _code = ir.Code;
        _options = options;
        _thunks = thunks;
        _direct = options.Direct is not null;
        // SAFETY: a scratch buffer for the life of the engine, bounded by the longest block.
        _coldBuffer = (byte*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc(ColdBufferSize, 64);
        _pinOfSlot.AsSpan().Fill(-1);
        _slotOfReg.AsSpan().Fill(-1);
        for (int i = 0; i < options.PinnedSlots.Length; i++)
            Pin(ir.SlotIndex(options.PinnedSlots[i]), PinHosts[i]);
        for (int i = 0; i < options.PinnedFloatSlots.Length; i++)
            Pin(ir.SlotIndex(options.PinnedFloatSlots[i]), FirstXmm + 8 + i);
        for (int i = 0; i < options.PinnedVectorSlots.Length; i++)
            Pin(ir.SlotIndex(options.PinnedVectorSlots[i]), FirstXmm + 8 + i);
        foreach (int r in AlwaysTemps)
            _tempMask |= 1u << r;
        foreach (int r in PinHosts)
        {
            if (_slotOfReg[r] < 0)
                _tempMask |= 1u << r;
        }
        for (int r = FirstXmm; r < 32; r++)
        {
            if (_slotOfReg[r] < 0)
                _tempMask |= 1u << r;
        }
        for (int slot = 0; slot < IrBuilder.MaxSlots; slot++)
        {
            if (_pinOfSlot[slot] >= 0)
                _pinned |= 1UL << slot;
        }
    }

    public void Dispose() => System.Runtime.InteropServices.NativeMemory.AlignedFree(_coldBuffer);

    private void Pin(int slot, int reg)
    {
        _pinOfSlot[slot] = reg;
        _slotOfReg[reg] = slot;
    }

    /// <summary>How long hot and cold code together are, and where the exit for requests begins.</summary>
    public readonly record struct Result(int Length, int RequestExit);

    /// <summary>Compiles what the builder holds to <paramref name="destination"/>.</summary>
    public Result Compile(byte* destination, byte* limit, ulong blockPc, int blockId, byte* cacheStart)
    {
        _ir.Finish(_pinned);
        int count = _ir.Count;
        _hot.Reset(destination, limit);
        _cold.Reset(_coldBuffer, _coldBuffer + ColdBufferSize);
        _fixups = 0;
        _faults = 0;
        _blockPc = blockPc;
        _blockId = blockId;
        _accounted = 0;
        _counting = _options.CountInstructions || _ir.CountInstructions;
        _dirty = 0;
        _spills = _vectorSpills = 0;
        _locked = 0;
        _regValue.AsSpan().Fill(NoValue);
        _slotValue.AsSpan().Fill(NoValue);
        _homeValue.AsSpan().Fill(NoValue);
        _location.AsSpan(0, count).Fill(-1);
        _home.AsSpan(0, count).Fill(-1);
        _spill.AsSpan(0, count).Fill(-1);
        _dirtyRefs.AsSpan(0, count).Clear();

        int requestExit = Prologue();
        for (int i = 0; i < count; i++)
        {
            _at = i;
            ref Instruction n = ref _code[i];
            if (n.Op is not (Op.Nop or Op.Const))
                Emit(ref n, i);
            _locked = 0;
            // An operand that occurs twice has its true next use with the first occurrence.
            Advance(n.D, n.NextD);
            Advance(n.C, n.NextC);
            Advance(n.B, n.NextB);
            Advance(n.A, n.NextA);
        }
        int length = Link(cacheStart);
        return new Result(length, requestExit + _hot.Offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Advance(int v, int next)
    {
        if (v >= 0)
            _code[v].NextUse = next;
    }

    private void Emit(ref Instruction n, int i)
    {
        switch (n.Op)
        {
            case Op.Get or Op.GetFloat or Op.GetVector: EmitGet(n, i); break;
            case Op.Set or Op.SetFloat or Op.SetVector: EmitSet(_ir.SlotIndex((int)n.Imm), n.A); break;
            case Op.Add: EmitAdd(n, i); break;
            case Op.Sub: EmitBinary(n, i, Assembler.Sub, false); break;
            case Op.And: EmitBinary(n, i, Assembler.And, true); break;
            case Op.Or: EmitBinary(n, i, Assembler.Or, true); break;
            case Op.Xor: EmitBinary(n, i, Assembler.Xor, true); break;
            case Op.Mul: EmitMul(n, i); break;
            case Op.MulHighS or Op.MulHighU or Op.MulHighSU: EmitMulHigh(n, i); break;
            case Op.DivS or Op.DivU or Op.RemS or Op.RemU: EmitDivide(n, i); break;
            case Op.Not: EmitNot(n, i); break;
            case Op.Shl or Op.ShrU or Op.ShrS: EmitShift(n, i); break;
            case Op.AddShifted: EmitAddShifted(n, i); break;
            case Op.ShrU32: EmitShift32(n, i); break;
            case Op.RotateRight or Op.RotateRight32: EmitRotate(n, i); break;
            case Op.SignExtend or Op.ZeroExtend: EmitExtend(n, i); break;
            case Op.Insert: EmitInsert(n, i); break;
            case Op.Field: EmitField(n, i); break;
            case Op.SetField: EmitSetField(n); break;
            case Op.CallRoutine: EmitCallRoutine(n, i); break;
            case Op.Deposit or Op.Extract: EmitDeposit(n, i); break;
            case Op.Crc32: EmitCrc32(n, i); break;
            case Op.Divide: EmitDivideWide(n, i); break;
            case Op.MulWide: EmitMulWide(n, i); break;
            case Op.AddCarry: EmitAddCarry(n, i); break;
            case Op.Second: ReleaseOperands(n); break;
            case Op.Argument: break;
            case Op.SetCond: EmitSetCond(n, i); break;
            case Op.Select: EmitSelect(n, i); break;
            case Op.CountLeadingZeros or Op.CountTrailingZeros or Op.PopCount: EmitCount(n, i); break;
            case Op.ByteSwap: EmitByteSwap(n, i); break;
            case Op.OrCombineBytes: EmitOrCombine(n, i); break;
            case Op.ClMul or Op.ClMulHigh: EmitClMul(n, i); break;
            case Op.Load or Op.LoadFloat or Op.LoadVector: EmitLoad(n, i); break;
            case Op.Store or Op.StoreFloat or Op.StoreVector: EmitStore(n); break;
            case Op.ZeroLine: EmitZeroLine(n); break;
            case Op.Atomic: EmitAtomic(n, i); break;
            case Op.LockedUpdate: EmitLockedUpdate(n, i); break;
            case Op.LockedCompareExchange: EmitLockedCompareExchange(n, i); break;
            case Op.LockedCompareExchange16: EmitLockedCompareExchange16(n, i); break;
            case Op.LoadReserved: EmitLoadReserved(n, i); break;
            case Op.StoreConditional: EmitStoreConditional(n, i); break;
            case Op.Fence: EmitFence(); break;
            case Op.ReadFlags: EmitReadFlags(n, i); break;
            case Op.WriteFlags: EmitWriteFlags(n); break;
            case Op.ComputeFlags: EmitComputeFlags(n, i); break;
            case Op.Branch or Op.BranchVector: EmitBranch(n); break;
            case Op.Guard: EmitGuard(n); break;
            case Op.CheckFetch: EmitCheckFetch(n); break;
            case Op.Interpret: EmitInterpret(n); break;
            case Op.Jump or Op.Leave: EmitJump(n.Imm, n.Guest + 1); break;
            case Op.JumpIndirect: EmitJumpIndirect(n); break;
            case Op.Vector: EmitVector(n, i); break;
            case Op.ZeroVector: EmitZeroVector(n, i); break;
            case Op.ReadMxcsr: EmitReadMxcsr(n, i); break;
            case Op.WriteMxcsr: EmitWriteMxcsr(n); break;
            case Op.InsertInteger: EmitInsertInteger(n, i); break;
            case Op.VectorToInteger: EmitVectorToInteger(n, i); break;
            case Op.VectorCompare: EmitVectorCompare(n, i); break;
            default: EmitFloat(n, i); break;
        }
    }

    // ---- Where values are ----

    private bool IsConst(int v, out ulong value)
    {
        value = _code[v].Imm;
        return _code[v].Op == Op.Const;
    }

    private bool IsImm32(int v, out int value)
    {
        ref Instruction n = ref _code[v];
        value = (int)n.Imm;
        return n.Op == Op.Const && (ulong)value == n.Imm;
    }

    /// <summary>Whether the value is wanted after the current instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Needed(int v) => (_code[v].LastUse > _at || _dirtyRefs[v] > 0) && _code[v].Op != Op.Const;

    private bool IsTemp(int reg) => (_tempMask >> reg & 1) != 0;

    private Mem Slot(int index) => new(Reg.Rbp, _ir.SlotOffset(index) - 128);
    private static Mem Context(int offset) => new(Reg.Rbp, offset - CpuBlock.Bias);
    private static Mem Spilled(int index, bool vector) => new(Reg.Rsp, vector ? VectorSpills + (index * 16) : index * 8);

    /// <summary>A free register of the class that the mask names, evicting what is needed least soon.</summary>
    private int Allocate(bool isFloat)
    {
        uint candidates = _tempMask & ~_locked & (isFloat ? 0xFFFF0000u : 0xFFFFu);
        int best = -1, bestScore = int.MinValue;
        for (uint m = candidates; m != 0; m &= m - 1)
        {
            int r = BitOperations.TrailingZeroCount(m);
            int v = _regValue[r];
            if (v < 0)
            {
                _locked |= 1u << r;
                return r;
            }
            // What is needed furthest away goes, rather if it need not be stored.
            ref Instruction n = ref _code[v];
            int distance = Math.Min(n.NextUse - _at, 1000);
            int score = distance * (n.Op == Op.Const || (_dirtyRefs[v] == 0 && (_home[v] >= 0 || _spill[v] >= 0)) ? 3 : 2);
            if (score > bestScore)
            {
                bestScore = score;
                best = r;
            }
        }
        Evict(best);
        _locked |= 1u << best;
        return best;
    }

    /// <summary>Makes a particular register free, moving its value elsewhere.</summary>
    private void Claim(int reg)
    {
        _locked |= 1u << reg;
        int v = _regValue[reg];
        if (v < 0)
            return;
        if (!Needed(v) && _code[v].LastUse < _at)
        {
            Drop(reg);
            return;
        }
        uint free = _tempMask & ~_locked & 0xFFFFu;
        for (uint m = free; m != 0; m &= m - 1)
        {
            int r = BitOperations.TrailingZeroCount(m);
            if (_regValue[r] < 0)
            {
                _hot.Mov(r, reg);
                _regValue[reg] = NoValue;
                Place(v, r);
                return;
            }
        }
        Evict(reg);
    }

    private void Evict(int reg)
    {
        int v = _regValue[reg];
        if (_code[v].Op != Op.Const)
        {
            if (_dirtyRefs[v] > 0)
            {
                for (ulong m = _dirty; m != 0; m &= m - 1)
                {
                    int s = BitOperations.TrailingZeroCount(m);
                    if (_slotValue[s] == v)
                    {
                        StoreReg(_hot, Slot(s), reg, _code[v].IsVector);
                        _dirty &= ~(1UL << s);
                        _homeValue[s] = v;
                        _home[v] = s;
                    }
                }
                _dirtyRefs[v] = 0;
            }
            else if (_home[v] < 0 && _spill[v] < 0)
            {
                bool vector = _code[v].IsVector;
                ref ulong spills = ref vector ? ref _vectorSpills : ref _spills;
                int index = BitOperations.TrailingZeroCount(~spills);
                spills |= 1UL << index;
                _spill[v] = index;
                StoreReg(_hot, Spilled(index, vector), reg, vector);
            }
        }
        Drop(reg);
    }

    private void Drop(int reg)
    {
        int v = _regValue[reg];
        if (v >= 0 && _location[v] == reg)
            _location[v] = -1;
        _regValue[reg] = NoValue;
    }

    private void Place(int v, int reg)
    {
        _regValue[reg] = v;
        _location[v] = reg;
    }

    private static void StoreReg(Assembler a, in Mem m, int reg, bool vector)
    {
        if (reg >= FirstXmm)
            a.VexRM(1, vector ? 0 : 3, 0x11, reg & 15, 0, m);
        else
            a.Store(m, reg);
    }

    private static void LoadReg(Assembler a, int reg, in Mem m, bool vector)
    {
        if (reg >= FirstXmm)
            a.VexRM(1, vector ? 0 : 3, 0x10, reg & 15, 0, m);
        else
            a.Load(reg, m);
    }

    private static void MoveReg(Assembler a, int dst, int src)
    {
        if (dst == src)
            return;
        if (dst >= FirstXmm)
            a.VexRR(1, 0, 0x28, dst & 15, 0, src & 15);
        else
            a.Mov(dst, src);
    }

    private Mem MemoryOf(int v) => _home[v] >= 0 ? Slot(_home[v]) : Spilled(_spill[v], _code[v].IsVector);

    /// <summary>The value in a register, locked for the current instruction.</summary>
    private int Use(int v)
    {
        int reg = _location[v];
        if (reg < 0)
        {
            ref Instruction n = ref _code[v];
            reg = Allocate(n.IsFloat);
            if (n.Op == Op.Const)
                _hot.MovImm(reg, n.Imm);
            else
                LoadReg(_hot, reg, MemoryOf(v), n.IsVector);
            Place(v, reg);
        }
        _locked |= 1u << reg;
        return reg;
    }

    /// <summary>Whether the value can be read from memory because this is its only remaining use and it is in no register.</summary>
    private bool IsMemory(int v) => _location[v] < 0 && _code[v].Op != Op.Const && _code[v].LastUse <= _at;

    private bool DiesHere(int v) => !Needed(v);

    /// <summary>The register that will hold the current instruction's result.</summary>
    /// <param name="reuse">A register of a dying operand that may become the result; -1 for none.</param>
    private int Destination(in Instruction n, int reuse = -1)
    {
        if (reuse >= 0 && (!IsTemp(reuse) || !DiesHere(_regValue[reuse])))
            reuse = -1;
        int reg = HintedOr(n, reuse);
        return reg >= 0 ? reg : Allocate(n.IsFloat);
    }

    /// <summary>The pinned register that wants the result when it may have it now, else <paramref name="other"/>.</summary>
    private int HintedOr(in Instruction n, int other)
    {
        if (n.Hint < 0)
            return other;
        int pin = _pinOfSlot[n.Hint];
        int old = _regValue[pin];
        return old < 0 || _location[old] != pin || !Needed(old) || OtherPin(old, pin) >= 0 ? pin : other;
    }

    private int OtherPin(int v, int pin)
    {
        for (int r = 0; r < 32; r++)
        {
            if (r != pin && _regValue[r] == v && _slotOfReg[r] >= 0)
                return r;
        }
        return -1;
    }

    /// <summary>The current instruction's operands are used up and its result is in <paramref name="reg"/>.</summary>
    private void Define(in Instruction n, int i, int reg)
    {
        ReleaseOperands(n);
        if (_slotOfReg[reg] >= 0)
            Vacate(reg);
        else if (_regValue[reg] >= 0)
            Drop(reg);
        if (n.LastUse < 0)
            return;
        Place(i, reg);
    }

    // A pinned register gets a new value: the old one may live on in another.
    private void Vacate(int pin)
    {
        int old = _regValue[pin];
        if (old >= 0 && _location[old] == pin)
            _location[old] = OtherPin(old, pin);
        _regValue[pin] = NoValue;
    }

    private void ReleaseOperands(in Instruction n)
    {
        Release(n.A);
        Release(n.B);
        Release(n.C);
        Release(n.D);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Release(int v)
    {
        if (v < 0 || _code[v].LastUse > _at)
            return;
        ReleaseValue(v);
    }

    private void ReleaseValue(int v)
    {
        if (_dirtyRefs[v] > 0)
            return;
        int reg = _location[v];
        if (reg >= 0 && IsTemp(reg))
            Drop(reg);
        if (_spill[v] >= 0)
        {
            if (_code[v].IsVector)
                _vectorSpills &= ~(1UL << _spill[v]);
            else
                _spills &= ~(1UL << _spill[v]);
            _spill[v] = -1;
        }
    }

    // ---- Guest registers ----

    private void EmitGet(in Instruction n, int i)
    {
        int slot = _ir.SlotIndex((int)n.Imm);
        int pin = _pinOfSlot[slot];
        _slotValue[slot] = i;
        if (pin >= 0)
        {
            _regValue[pin] = i;
            _location[i] = pin;
        }
        else
        {
            // Loaded when first used.
            _home[i] = slot;
            _homeValue[slot] = i;
        }
    }

    private void EmitSet(int slot, int v)
    {
        int pin = _pinOfSlot[slot];
        if (pin >= 0)
            SetPinned(slot, pin, v);
        else
            SetCached(slot, v);
    }

    private void SetPinned(int slot, int pin, int v)
    {
        _slotValue[slot] = v;
        if (_regValue[pin] == v)
        {
            Release(v);
            return;
        }
        int old = _regValue[pin];
        if (old >= 0 && _location[old] == pin && Needed(old) && OtherPin(old, pin) < 0)
        {
            if (_location[v] >= 0)
                _locked |= 1u << _location[v];
            int refuge = Allocate(pin >= FirstXmm);
            MoveReg(_hot, refuge, pin);
            _regValue[pin] = NoValue;
            Place(old, refuge);
        }
        Vacate(pin);
        int from = _location[v];
        if (from >= 0)
            MoveReg(_hot, pin, from);
        else if (IsConst(v, out ulong value))
            MoveConst(pin, value);
        else
            LoadReg(_hot, pin, MemoryOf(v), _code[v].IsVector);
        _regValue[pin] = v;
        if (from < 0 || IsTemp(from))
        {
            if (from >= 0)
                _regValue[from] = NoValue;
            _location[v] = pin;
        }
        Release(v);
    }

    private void MoveConst(int reg, ulong value)
    {
        if (value == 0)
            _hot.Alu(Assembler.Xor, reg, reg, w: false);
        else
            _hot.MovImm(reg, value);
    }

    private void SetCached(int slot, int v)
    {
        int old = _slotValue[slot];
        ulong bit = 1UL << slot;
        if (_code[v].Op != Op.Const && _location[v] < 0)
            Use(v);
        else if (_location[v] >= 0)
            _locked |= 1u << _location[v];
        int inHome = _homeValue[slot];
        if (inHome >= 0)
        {
            if (_home[inHome] == slot)
            {
                if (inHome != v && Needed(inHome) && _location[inHome] < 0)
                    Use(inHome);
                _home[inHome] = -1;
            }
            _homeValue[slot] = NoValue;
        }
        if ((_dirty & bit) != 0)
        {
            _dirtyRefs[old]--;
            if (old != v && !Needed(old) && _code[old].LastUse <= _at)
                ReleaseValue(old);
        }
        _slotValue[slot] = v;
        _dirty |= bit;
        _dirtyRefs[v]++;
        Release(v);
    }

    /// <summary>Writes dirty slots to their homes; the state stays as it is.</summary>
    private void WriteBack(Assembler a)
    {
        for (ulong m = _dirty; m != 0; m &= m - 1)
        {
            int s = BitOperations.TrailingZeroCount(m);
            int v = _slotValue[s];
            if (IsConst(v, out ulong value))
                a.StoreImm(Slot(s), value);
            else
                StoreReg(a, Slot(s), _location[v], _code[v].IsVector);
        }
    }
}
