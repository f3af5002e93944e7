using System.Runtime.CompilerServices;
using Myna.Jit.Operations;

namespace Myna.Jit.Ir;

/// <summary>
/// Collects the IR of one block. Constants are folded, reads of guest registers whose value is known are forwarded, and
/// redundant extensions dropped while building. One builder serves all blocks; nothing is allocated per block.
/// </summary>
public sealed class IrBuilder
{
    /// <summary>Slots have indices below this.</summary>
    public const int MaxSlots = 64;

    // Slots of 8 bytes below VectorSlots have index offset / 8, those of 16 bytes from there on FirstVector and following.
    private const int FirstVector = 32;
    private readonly int _vectorSlots;

    private readonly bool _direct;

    internal IrBuilder(Engine.JitOptions options)
    {
        _vectorSlots = options.VectorSlots;
        _direct = options.Direct is not null;
    }


    /// <summary>The index of a slot, which is named by its offset in the guest's register structure.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int SlotIndex(int offset) => offset < _vectorSlots ? offset >> 3 : FirstVector + ((offset - _vectorSlots) >> 4);

    /// <summary>The offset of the slot with an index.</summary>
    internal int SlotOffset(int index) => index < FirstVector || _vectorSlots == int.MaxValue ? index << 3 : _vectorSlots + ((index - FirstVector) << 4);

    internal const int Capacity = 2048;
    /// <summary>A block ends when its IR has grown to this.</summary>
    public const int SoftLimit = 1400;

    internal readonly Instruction[] Code = new Instruction[Capacity];
    // How many low bits say all about a value: sign-extended from, zero-extended from.
    private readonly byte[] _signBits = new byte[Capacity];
    private readonly byte[] _zeroBits = new byte[Capacity];
    internal readonly int[] SlotValue = new int[MaxSlots];
    private readonly int[] _undoSlot = new int[256];
    private readonly int[] _undoValue = new int[256];
    private int _undo;
    private int _start;

    internal int Count;
    internal ulong[] GuestPc = new ulong[256];
    internal int GuestCount;

    /// <summary>MMU mode of the data accesses that follow.</summary>
    public int MmuMode { get; set; }

    /// <summary>The block keeps the count of instructions (<see cref="Memory.JitContext.InstructionCount"/>); <see cref="Begin"/> clears it.</summary>
    public bool CountInstructions { get; set; }

    /// <summary>pc of the guest instruction being built.</summary>
    public ulong Pc { get; private set; }

    /// <summary>The instruction cannot be said in IR: <see cref="Rewind"/> it and call <see cref="Interpret"/>.</summary>
    public bool IsUnsupported { get; private set; }

    /// <summary>The instruction jumps to <see cref="JumpTarget"/>: translation goes on there, or <see cref="EndJump"/>.</summary>
    public bool HasJumped { get; private set; }
    public ulong JumpTarget { get; private set; }

    /// <summary>Nothing may be added to the block any more.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Guest instructions so far.</summary>
    public int Length => GuestCount;

    /// <summary>The block should end at the next occasion.</summary>
    public bool IsFull => Count >= SoftLimit || GuestCount >= 250;

    /// <summary>Forgets everything.</summary>
    public void Begin()
    {
        Count = 0;
        GuestCount = 0;
        HasEnded = false;
        Chunks = 0;
        SecondPage = null;
        CountInstructions = false;
        _summed = -1;
        SlotValue.AsSpan().Fill(-1);
    }

    /// <summary>The second page that the block was made of, its first bytes; null when there is none.</summary>
    internal Memory.CodePage? SecondPage;

    /// <summary>
    /// The current instruction goes on in the page at <paramref name="va"/>, which is <paramref name="page"/> now: where it is
    /// not, the interpreter executes the instruction. It is the block's last. See <see cref="Engine.GuestCpu.TryReadSecond"/>.
    /// </summary>
    /// <param name="mode">MMU mode of fetches.</param>
    public void ContinueIn(Memory.CodePage page, ulong va, int mode)
    {
        SecondPage = page;
        // What is mapped anew in a user program is forgotten.
        if (_direct)
            return;
        Append(Op.CheckFetch, Const((ulong)page.Address - va), imm: va, mode: mode);
        _start = Count;
    }

    /// <summary>64-byte pieces of the page that the block was made of.</summary>
    internal ulong Chunks;

    /// <summary>Starts the next guest instruction.</summary>
    /// <param name="length">Bytes; those beyond the page's end do not count.</param>
    public void StartInstruction(ulong pc, int length)
    {
        int first = (int)pc & 4095;
        Chunks |= 1UL << (first >> 6) | 1UL << (Math.Min(first + length - 1, 4095) >> 6);
        Pc = pc;
        GuestPc[GuestCount++] = pc;
        _start = Count;
        _undo = 0;
        IsUnsupported = false;
        HasJumped = false;
        _narrow = -1;
    }

    /// <summary>Takes back what the current instruction has added.</summary>
    public void Rewind()
    {
        while (_undo > 0)
        {
            _undo--;
            SlotValue[_undoSlot[_undo]] = _undoValue[_undo];
        }
        Count = _start;
        _summed = -1;
        HasJumped = HasEnded = false;
    }

    public void Unsupported() => IsUnsupported = true;

    /// <summary>
    /// The arithmetic flags from the guest's lazy slots (<see cref="Engine.GuestCpu.ComputeFlags"/>).
    /// </summary>
    public Value ComputeFlags() => new(Narrow(Append(Op.ComputeFlags), 13, 12));

    /// <summary>A field of the guest's register structure that is no slot: 8 bytes at any multiple of 8.</summary>
    public Value Field(int offset) => new(Append(Op.Field, imm: (ulong)offset));

    /// <summary>Writes a field (<see cref="Field"/>).</summary>
    public void SetField(int offset, Value value) => Append(Op.SetField, value.Id, imm: (ulong)offset);

    /// <summary>
    /// Calls machine code that works on fields of the guest's register structure, not slots: argument and result are in RAX, the structure's
    /// address plus 128 is in RBP; it may change RAX, RCX, RDX and flags.
    /// </summary>
    public Value CallRoutine(nint routine, Value? argument) => new(Append(Op.CallRoutine, argument?.Id ?? -1, imm: (ulong)routine));

    private int _wide, _narrow;

    internal void RememberNarrowed(Value wide, Value narrow) => (_wide, _narrow) = (wide.Id, narrow.Id);

    /// <summary>A value with the same low 32 bits and the others zero that this instruction has computed already, or <paramref name="value"/> itself.</summary>
    public Value Narrowed(Value value) => value.Id == _wide && _narrow >= 0 ? new Value(_narrow) : value;

    private int _summed, _carry;

    internal void RememberCarry(int sum, int carry) => (_summed, _carry) = (sum, carry);

    /// <summary>The carry out of <see cref="IrOps.AddCarry"/>, if <paramref name="sum"/> is the result of the last one.</summary>
    public bool TryCarryOf(Value sum, out Value carry)
    {
        carry = new Value(_carry);
        return sum.Id == _summed;
    }

    /// <summary>Whether a value is known while translating.</summary>
    public bool TryConst(Value value, out ulong constant) => IsConst(value.Id, out constant);

    /// <summary>Leaves the whole instruction to the interpreter when the comparison of the low bits holds. Nothing may have been changed yet.</summary>
    public void Guard(Cond cond, MemSize width, Value a, Value b)
    {
        if (IsConst(a.Id, out ulong ca) && IsConst(b.Id, out ulong cb))
        {
            if (IrOps.Holds(cond, width, ca, cb))
                Unsupported();
            return;
        }
        Append(Op.Guard, a.Id, b.Id, size: (int)width, aux: (int)cond);
    }

    /// <summary>The interpreter executes the current instruction; the block goes on behind it when the interpreter agrees.</summary>
    /// <param name="length">The instruction's bytes, for <see cref="Engine.GuestCpu.InterpretedLength"/>.</param>
    /// <param name="firstKept">Offset of the first of some slots of 8 bytes that the instruction does not change.</param>
    /// <param name="kept">How many.</param>
    public void Interpret(int length = 0, int firstKept = 0, int kept = 0)
    {
        ulong mask = ((1UL << kept) - 1) << (firstKept >> 3);
        Append(Op.Interpret, size: length);
        _zeroVector = Capacity;
        _summed = -1;
        for (int i = 0; i < MaxSlots; i++)
        {
            // Only constants outlive the block's registers.
            if ((mask >> i & 1) == 0 || SlotValue[i] < 0 || Code[SlotValue[i]].Op != Op.Const)
                SlotValue[i] = -1;
        }
    }

    /// <summary>Ends the block by going on at <paramref name="target"/>.</summary>
    public void EndJump(ulong target)
    {
        Append(Op.Jump, imm: target);
        HasEnded = true;
    }

    /// <summary>Ends the block after an <see cref="Interpret"/> that never goes on.</summary>
    public void EndLeave(ulong next)
    {
        Append(Op.Leave, imm: next);
        HasEnded = true;
    }

    /// <summary>Zeroes the 64 bytes that hold the address, which lie in one page.</summary>
    public void ZeroLine(Value line) => Append(Op.ZeroLine, line.Id, mode: MmuMode);

    /// <summary>The accrued floating-point flags as RISC-V's fflags has them.</summary>
    public Value ReadFlags() => new(Narrow(Append(Op.ReadFlags), 6, 5));

    /// <summary>The host's MXCSR, which is the guest's.</summary>
    public Value ReadMxcsr() => new(Narrow(Append(Op.ReadMxcsr), 64, 32));

    /// <summary>Sets it; the value has no undefined bit and masks all exceptions.</summary>
    public void WriteMxcsr(Value value) => Append(Op.WriteMxcsr, value.Id);

    /// <summary>Replaces the accrued flags by the low five bits.</summary>
    public void WriteFlags(Value flags)
    {
        // Compilers make a quiet comparison of a signalling one by saving and restoring the flags around it.
        if (Code[flags.Id].Op == Op.ReadFlags)
        {
            int compare = -1, others = 0;
            for (int i = flags.Id + 1; i < Count; i++)
            {
                Op op = Code[i].Op;
                if (op == Op.FCompare && compare < 0)
                    compare = i;
                else if (op is Op.FCompare or Op.FToInt or Op.WriteFlags or Op.Interpret or (>= Op.FAdd and <= Op.FMax) or Op.FFromInt or Op.FConvert)
                    others++;
            }
            if (others == 0)
            {
                if (compare >= 0)
                    Code[compare].Aux |= Instruction.CheckNaN;
                return;
            }
        }
        Append(Op.WriteFlags, flags.Id);
    }

    internal void Jump(ulong target)
    {
        HasJumped = true;
        JumpTarget = target;
    }

    internal void JumpIndirect(int target)
    {
        if (IsConst(target, out ulong known))
        {
            Jump(known);
            return;
        }
        Append(Op.JumpIndirect, target);
        HasEnded = true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Append(Op op, int a = -1, int b = -1, int c = -1, int d = -1, ulong imm = 0, int size = 0, int aux = 0, int mode = 0)
    {
        int id = Count++;
        ref Instruction i = ref Code[id];
        i.Op = op;
        i.Size = (byte)size;
        i.Aux = (byte)aux;
        i.Mode = (byte)mode;
        i.A = a;
        i.B = b;
        i.C = c;
        i.D = d;
        i.Imm = imm;
        i.Guest = GuestCount - 1;
        _signBits[id] = 64;
        _zeroBits[id] = 64;
        return id;
    }

    internal int Const(ulong value)
    {
        int id = Append(Op.Const, imm: value);
        int zero = 64 - System.Numerics.BitOperations.LeadingZeroCount(value);
        int sign = 65 - System.Numerics.BitOperations.LeadingZeroCount((long)value < 0 ? ~value : value);
        _zeroBits[id] = (byte)zero;
        _signBits[id] = (byte)sign;
        return id;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsConst(int id, out ulong value)
    {
        ref Instruction i = ref Code[id];
        value = i.Imm;
        return i.Op == Op.Const;
    }

    private int _zeroVector;

    /// <summary>One zero serves until the next <see cref="Interpret"/>, which keeps no values: VEX-encoded instructions write it to many registers.</summary>
    internal int ZeroVector()
    {
        if (_zeroVector >= Count || Code[_zeroVector].Op != Op.ZeroVector)
            _zeroVector = Append(Op.ZeroVector);
        return _zeroVector;
    }

    internal bool IsConst(int id, ulong value) => Code[id].Op == Op.Const && Code[id].Imm == value;

    internal int Narrow(int id, int signBits, int zeroBits)
    {
        _signBits[id] = (byte)Math.Min(signBits, zeroBits + 1);
        _zeroBits[id] = (byte)zeroBits;
        return id;
    }

    internal int SignBits(int id) => _signBits[id];
    internal int ZeroBits(int id) => _zeroBits[id];

    internal int Get(int slot, Op get)
    {
        int index = SlotIndex(slot);
        int known = SlotValue[index];
        if (known >= 0)
            return known;
        int id = Append(get, imm: (ulong)slot);
        Know(index, id);
        return id;
    }

    internal void Set(int slot, int value, Op set)
    {
        int index = SlotIndex(slot);
        if (SlotValue[index] == value)
            return;
        Append(set, value, imm: (ulong)slot);
        Know(index, value);
    }

    private void Know(int index, int value)
    {
        _undoSlot[_undo] = index;
        _undoValue[_undo++] = SlotValue[index];
        SlotValue[index] = value;
    }

    /// <summary>
    /// Finds every value's last use, turns what nobody needs into nothing, and finds the values that can be computed
    /// straight into a pinned register.
    /// </summary>
    internal void Finish(ulong pinnedSlots)
    {
        Instruction[] code = Code;
        for (int i = 0; i < Count; i++)
        {
            code[i].LastUse = -1;
            code[i].NextUse = Instruction.Never;
            code[i].Hint = -1;
        }
        ulong overwritten = 0;
        int nextExit = int.MaxValue;
        Span<int> hinted = stackalloc int[MaxSlots];
        hinted.Fill(-1);
        for (int i = Count - 1; i >= 0; i--)
        {
            ref Instruction n = ref code[i];
            if (n.Op is Op.Set or Op.SetFloat or Op.SetVector)
            {
                int slot = SlotIndex((int)n.Imm);
                ulong bit = 1UL << slot;
                if ((overwritten & bit) != 0)
                {
                    n.Op = Op.Nop;
                    continue;
                }
                overwritten |= bit;
                if ((pinnedSlots & bit) != 0)
                {
                    code[n.A].Hint = slot;
                    _hintAt[n.A] = i;
                    hinted[slot] = n.A;
                }
            }
            else if (n.LastUse < 0 && n.IsPure)
            {
                n.Op = n.Op == Op.Const ? Op.Const : Op.Nop;
                continue;
            }
            else
            {
                if (n.Op is Op.Get or Op.GetFloat or Op.GetVector)
                {
                    int slot = SlotIndex((int)n.Imm);
                    if (hinted[slot] >= 0)
                        code[hinted[slot]].Hint = -1;
                }
                if (n.Hint >= 0)
                {
                    if (nextExit < _hintAt[i])
                        n.Hint = -1;
                    else
                        hinted[n.Hint] = -1;
                }
                if (n.MayExit || n.Op == Op.ComputeFlags)
                {
                    overwritten = 0;
                    nextExit = i;
                }
            }
            n.NextA = Use(code, n.A, n.Op == Op.Argument ? i + 1 : i);
            n.NextB = Use(code, n.B, i);
            n.NextC = Use(code, n.C, i);
            n.NextD = Use(code, n.D, i);
        }
    }

    private readonly int[] _hintAt = new int[Capacity];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Use(Instruction[] code, int value, int user)
    {
        if (value < 0)
            return 0;
        ref Instruction v = ref code[value];
        if (v.LastUse < user)
            v.LastUse = user;
        // Going backward: the use found before is the one that comes after.
        int next = v.NextUse;
        v.NextUse = user;
        return next;
    }
}
